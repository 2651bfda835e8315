"""`make deploy` on a real server: all of it, twice, and an automation that fires."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import deploy
from tests.conftest import ROOT, Write
from tests.receivers import Hook, webhook, webhook_block
from tests.workers.conftest import Server, environment_of, hasty, serving, until

Said = pytest.CaptureFixture[str]
SOON = {
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests here, which soon says that a run is late."""
    with serving(environment_of(tmp_path_factory.mktemp("server")) | SOON) as running:
        yield running


@pytest.fixture
def api(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of the server's API, which is this process' too."""
    url = server.environment["PREFECT_API_URL"]
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setenv("SOURCE_URL", "postgresql://reader@127.0.0.1/app")
    with temporary_settings({PREFECT_API_URL: url}):
        yield server.api


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as receiver:
        yield receiver


def everything(api: httpx.Client) -> dict[str, list[str]]:
    """Names of all that a server holds."""
    asked: dict[str, list[dict[str, Any]]] = {
        part: api.post(f"/{part}/filter", json={}).raise_for_status().json()
        for part in ("work_pools", "deployments", "automations", "v2/concurrency_limits")
    }
    return {part: sorted(each["name"] for each in found) for part, found in asked.items()}


@pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)
def test_deploying_twice_doubles_nothing(
    api: httpx.Client, hook: Hook, config_file: Write, capsys: Said
) -> None:
    parts = {"notify": webhook_block(hook), "execution": "workers"}
    config = str(config_file([{"name": "t"}], **parts))
    assert deploy.main([config]) == 0, capsys.readouterr().err
    once = everything(api)
    assert once["work_pools"] == deploy.pools(ROOT)
    assert len(once["automations"]) == 4
    assert len(once["v2/concurrency_limits"]) >= 2
    assert "daily" in once["deployments"]
    assert deploy.main([config]) == 0
    assert everything(api) == once


@pytest.mark.long
@pytest.mark.usefixtures("hook")
def test_what_operators_set_on_a_pool_outlives_another_deploy(
    api: httpx.Client, config_file: Write
) -> None:
    config = str(config_file([{"name": "t"}]))
    assert deploy.main([config]) == 0
    theirs = {"is_paused": True, "concurrency_limit": 3, "description": "Ours."}
    api.patch("/work_pools/daybreak-big", json=theirs).raise_for_status()
    assert deploy.main([config]) == 0
    pool = api.get("/work_pools/daybreak-big").raise_for_status().json()
    assert {name: pool[name] for name in theirs} == theirs


@pytest.mark.usefixtures("api")
def test_a_pool_of_another_type_is_left_alone(config_file: Write, capsys: Said) -> None:
    config = str(config_file([{"name": "t"}]))
    assert deploy.main([config]) == 0
    assert deploy.main([config, "--pool", "docker"]) == 2
    assert "is of type process, not docker. Run `make deploy POOL=process`" in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("api")
def test_a_block_that_is_not_there_is_told(config_file: Write, capsys: Said) -> None:
    config = config_file([{"name": "t"}], notify={"block": "slack-webhook/nowhere"})
    assert deploy.main([str(config)]) == 2
    assert "Prefect has no block slack-webhook/nowhere" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.usefixtures("api")
def test_a_run_that_no_worker_takes_is_told(
    hook: Hook,
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = deploy.automations
    monkeypatch.setattr(deploy, "automations", lambda actions: map(hasty, made(actions)))
    config = config_file([{"name": "t"}], notify=webhook_block(hook))
    assert deploy.main([str(config)]) == 0
    with get_client(sync_client=True) as client:
        daily = client.read_deployment_by_name("daily/daily")
        client.create_flow_run_from_deployment(daily.id)
    until(lambda: hook.posted)
    assert hook.posted[0].startswith("Daybreak: daybreak late | No worker has taken a run")
    assert "/runs/flow-run/" in hook.posted[0]
