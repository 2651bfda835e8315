"""`make deploy` on a real server: all of it, twice, and an automation that fires."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import deploy
from tests.conftest import ROOT, Write
from tests.integration.test_notify import hook, webhook

__all__ = ["hook"]
PREFECT = Path(sys.executable).with_name("prefect")
Said = pytest.CaptureFixture[str]
SOON = {
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API's URL of a lasting Prefect server with all its services, as teams run it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    home = str(tmp_path_factory.mktemp("prefect"))
    process = subprocess.Popen(
        [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port],
        env={**os.environ, **SOON, "PREFECT_HOME": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/api"
    while True:
        try:
            httpx.get(f"{url}/health").raise_for_status()
            break
        except httpx.HTTPError:
            assert process.poll() is None
            time.sleep(0.2)
    yield url
    process.terminate()
    process.wait()


@pytest.fixture
def api(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("PREFECT_API_URL", server)
    monkeypatch.setenv("SOURCE_URL", "postgresql://reader@127.0.0.1/app")
    with temporary_settings({PREFECT_API_URL: server}), httpx.Client(base_url=server) as client:
        yield client


def everything(api: httpx.Client) -> dict[str, list[str]]:
    """Names of all that a server holds."""
    asked: dict[str, list[dict[str, Any]]] = {
        part: api.post(f"/{part}/filter", json={}).raise_for_status().json()
        for part in ("work_pools", "deployments", "automations", "v2/concurrency_limits")
    }
    return {part: sorted(each["name"] for each in found) for part, found in asked.items()}


def test_deploying_twice_doubles_nothing(
    api: httpx.Client, hook: tuple[list[str], int], config_file: Write, capsys: Said
) -> None:
    config = str(config_file([{"name": "t"}], notify=webhook(str(api.base_url), hook[1])))
    assert deploy.main([config]) == 0, capsys.readouterr().err
    once = everything(api)
    assert once["work_pools"] == deploy.pools(ROOT)
    assert len(once["automations"]) == 4
    assert "daily" in once["deployments"]
    assert deploy.main([config]) == 0
    assert everything(api) == once


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


def test_a_run_that_no_worker_takes_is_told(
    api: httpx.Client,
    hook: tuple[list[str], int],
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = deploy.automations
    monkeypatch.setattr(deploy, "automations", lambda actions: map(hasty, made(actions)))
    config = config_file([{"name": "t"}], notify=webhook(str(api.base_url), hook[1]))
    assert deploy.main([str(config)]) == 0
    with get_client(sync_client=True) as client:
        daily = client.read_deployment_by_name("daily/daily")
        client.create_flow_run_from_deployment(daily.id)
    while not hook[0]:
        time.sleep(0.2)
    assert hook[0][0].startswith("Daybreak: daybreak late | No worker has taken a run")


def hasty(automation: Any) -> Any:
    """The automation with the shortest time that a server allows, where it waits at all."""
    if automation.trigger.within:
        automation.trigger.within = timedelta(seconds=10)
    return automation
