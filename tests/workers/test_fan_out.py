"""Tables that workers copy: who works on what, and how each end of a run is judged."""

import os
import signal
from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.conftest import Start, Write, ended, says
from tests.faults.test_kills import children
from tests.interference import blocked, gated
from tests.workers.conftest import SPREAD, TABLES, Deployed, StartWorker, until

pytestmark = pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)


@pytest.fixture
def night(deployed: Deployed, environment: dict[str, str], start_daily: Start) -> Start:
    """Starts a night of the deployed tables, without dbt."""

    def start(*arguments: str) -> Any:
        options = ("--config", deployed.config, "--skip-dbt", *arguments)
        return start_daily(*options, environment=environment)

    return start


def at_once(runs: list[dict[str, Any]]) -> int:
    """How many of the runs went on at one time, at most."""
    spans = [
        (datetime.fromisoformat(run["start_time"]), datetime.fromisoformat(run["end_time"]))
        for run in runs
    ]
    return max(sum(began <= other < end for began, end in spans) for other, _ in spans)


def test_two_workers_share_the_tables_of_a_night_within_its_limit(
    deployed: Deployed, night: Start, start_worker: StartWorker
) -> None:
    workers = [start_worker() for _ in range(2)]
    says(ended(night()), 0, *(f"{table} " for table in TABLES), "published")
    deployed.are_copied()
    runs = deployed.runs()
    assert sorted(run["parameters"]["table"] for run in runs) == TABLES
    assert {run["state"]["type"] for run in runs} == {"COMPLETED"}
    assert at_once(runs) == 2
    taken = [worker.runs() for worker in workers]
    assert all(taken)
    assert set.union(*taken) == {run["id"] for run in runs}
    snapshots = deployed.copies("select distinct snapshot_id from raw.sync_runs")
    assert len(snapshots) == 1


def test_a_table_whose_process_is_killed_is_copied_by_another_run(
    deployed: Deployed,
    night: Start,
    start_worker: StartWorker,
    source: psycopg.Connection,
    config_file: Write,
) -> None:
    source.execute(gated("slow", "t0"))
    config_file([{"name": "t1"}, {"name": "slow"}], **SPREAD)
    worker = start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        [process] = [int(each.name) for each in children(worker.process.pid, "prefect")]
        os.kill(process, signal.SIGKILL)
        until(lambda: "CRASHED" in {run["state"]["type"] for run in deployed.runs()})
    says(ended(run), 0, "crashed", "slow", "t1")
    deployed.are_copied(["t1", "slow"])
