"""Scheduled nights after an outage: of the workers, of one that had taken a run, of the server."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from prefect.client.orchestration import get_client

from tasks.config import load_config
from tasks.deploy import alerts, automations, make_automation
from tests.conftest import Write
from tests.interference import blocked, gated
from tests.receivers import Hook, webhook, webhook_block
from tests.workers.conftest import Deployed, Server, StartWorker, Worker, found, hasty, until

pytestmark = [
    pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True),
    pytest.mark.timeout(900),
]
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
TABLE = "t0"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """That of a server which waits 30 s for a run that a worker has taken."""
    soon = {"PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "30"}
    return environment | soon


class Nights:
    """Runs of the deployment `daily`, which copy one table in their own process."""

    def __init__(self, deployed: Deployed, write: Write) -> None:
        config = write([{"name": TABLE}])
        self.parameters = {"config": str(config), "skip_dbt": True, "skip_quality": True}
        self.api: httpx.Client = deployed.api
        self.id = found(self.api.get("/deployments/name/daily/daily"))["id"]

    def order(self) -> str:
        """Orders one by hand, and returns its id."""
        url, parameters = f"/deployments/{self.id}/create_flow_run", self.parameters
        return str(found(self.api.post(url, json={"parameters": parameters}))["id"])

    def schedule(self, times: int) -> None:
        """Has nights fall due second by second, once the server has planned them: each minute."""
        first = datetime.now(UTC) + timedelta(seconds=90)
        rule = f"DTSTART:{first:%Y%m%dT%H%M%S}\nRRULE:FREQ=SECONDLY;COUNT={times}"
        schedule = {"schedule": {"rrule": rule, "timezone": "UTC"}, "parameters": self.parameters}
        found(self.api.post(f"/deployments/{self.id}/schedules", json=[schedule]))

    def due(self) -> list[dict[str, Any]]:
        """Those that were ordered or have fallen due, in that order."""
        of = {
            "deployments": {"id": {"any_": [self.id]}},
            "flow_runs": {"expected_start_time": {"before_": datetime.now(UTC).isoformat()}},
            "sort": "EXPECTED_START_TIME_ASC",
        }
        return list(found(self.api.post("/flow_runs/filter", json=of)))

    def state(self, run: str) -> str:
        return str(found(self.api.get(f"/flow_runs/{run}"))["state"]["type"])


@pytest.fixture
def nights(deployed: Deployed, config_file: Write) -> Nights:
    return Nights(deployed, config_file)


@pytest.mark.long
def test_of_three_nights_that_fell_due_in_an_outage_only_the_newest_works(
    deployed: Deployed, nights: Nights, start_worker: StartWorker
) -> None:
    nights.schedule(times=3)
    until(lambda: len(nights.due()) == 3)
    start_worker()
    until(lambda: all(run["state"]["type"] in FINAL for run in nights.due()))
    first, second, newest = nights.due()
    for old in (first, second):
        assert old["state"]["type"] == "COMPLETED"
        assert old["state"]["name"] == "Skipped"
        assert "is due, and copies what this one would" in old["state"]["message"]
    assert newest["state"]["name"] == "Completed"
    assert deployed.copies("select run_id from raw.sync_runs") == [(newest["id"],)]
    deployed.are_copied([TABLE])


@pytest.mark.long
def test_a_run_that_a_worker_took_and_never_started_does_not_block_the_next_night(
    deployed: Deployed, nights: Nights, start_worker: StartWorker
) -> None:
    lost = nights.order()
    worker = start_worker()
    until(lambda: worker.runs() and nights.state(lost) == "PENDING")
    worker.kill()
    night = nights.order()
    start_worker()
    until(lambda: nights.state(night) in FINAL)
    assert nights.state(night) == "COMPLETED"
    deployed.are_copied([TABLE])


@pytest.fixture
def hook(deployed: Deployed, config_file: Write, loss: Callable[[Worker], None]) -> Iterator[Hook]:
    """Who is told of nights, by hooks or by the server; they wait until a test lets them read.

    The server waits 10 s for a sign of a run whose machine will be gone. A run that its worker
    reports has longer, or it would be lost twice: signs are 30 s apart.
    """
    with psycopg.connect(deployed.source_url) as source:
        source.execute(gated("slow", TABLE))
    with webhook() as receiver:
        config = config_file([{"name": "slow"}], notify=webhook_block(receiver))
        with get_client(sync_client=True) as client:
            for each in automations(alerts(load_config(config))):
                if each.name in ("daybreak crashed", "daybreak lost"):
                    make_automation(client, hasty(each) if loss is Worker.kill else each)
        yield receiver


def check_told_once(hook: Hook, why: str) -> None:
    until(lambda: hook.posted)
    time.sleep(5)  # for a second one, which would come from elsewhere
    [text] = hook.posted
    assert text.startswith("Daybreak: daybreak crashed")
    assert why in text
    assert "/runs/flow-run/" in text


@pytest.mark.long
@pytest.mark.parametrize(
    ("loss", "told"),
    [
        pytest.param(Worker.kill, "Its worker is gone; run it again.", id="machine"),
        pytest.param(Worker.kill_run, "exited with status code", id="process"),
    ],
)
def test_a_lost_night_ends_as_crashed_and_is_told_once(
    loss: Callable[[Worker], None],
    told: str,
    deployed: Deployed,
    nights: Nights,
    hook: Hook,
    start_worker: StartWorker,
) -> None:
    """For want of heartbeats, or by its worker, whose hook leaves the telling to the server."""
    with blocked(deployed.source_url) as until_read:
        lost, worker = nights.order(), start_worker()
        until_read()
        loss(worker)
        until(lambda: nights.state(lost) == "CRASHED")
    check_told_once(hook, told)


@pytest.mark.long
def test_a_restarted_server_knows_that_a_night_still_runs(nights: Nights, server: Server) -> None:
    """A lease that it has forgotten could not be renewed, on which Prefect ends the run."""
    taken = nights.order()
    pending = {"state": {"type": "PENDING"}}
    found(nights.api.post(f"/flow_runs/{taken}/set_state", json=pending))
    details = found(nights.api.get(f"/flow_runs/{taken}"))["state"]["state_details"]
    lease = details["deployment_concurrency_lease_id"]
    server.stop()
    server.start()
    renewed = nights.api.post(f"/v2/concurrency_limits/leases/{lease}/renew", json={})
    assert renewed.is_success, renewed.text
