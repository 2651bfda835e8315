"""Tables that workers copy: who works on what, and how each end of a run is judged."""

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Start, Write, ended, few_of, says
from tests.interference import blocked, gated
from tests.receivers import forgetful
from tests.workers.conftest import (
    ROWS,
    SPREAD,
    TABLES,
    Deployed,
    Prefect,
    Server,
    StartWorker,
    found,
    until,
)

pytestmark = [
    pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True),
    pytest.mark.timeout(900),
]


@pytest.fixture
def night(deployed: Deployed, environment: dict[str, str], start_daily: Start) -> Start:
    """Starts a night of the deployed tables, without dbt."""

    def start(*arguments: str) -> Any:
        options = ("--config", deployed.config, "--skip-dbt", *arguments)
        return start_daily(*options, environment=environment)

    return start


@pytest.fixture
def slow(deployed: Deployed, config_file: Write) -> list[str]:
    """Two tables, of which one is not read while a test holds it up."""
    with psycopg.connect(deployed.source_url) as source:
        source.execute(gated("slow", "t0"))
    config_file([{"name": "t1"}, {"name": "slow"}], **SPREAD)
    return ["t1", "slow"]


def at_once(runs: list[dict[str, Any]]) -> int:
    """How many of the runs went on at one time, at most."""
    spans = [
        (datetime.fromisoformat(run["start_time"]), datetime.fromisoformat(run["end_time"]))
        for run in runs
    ]
    return max(sum(began <= other < end for began, end in spans) for other, _ in spans)


@pytest.mark.parametrize("number", few_of([3, 6], 3))
def test_two_workers_share_the_tables_of_a_night_within_its_limit(
    number: int, deployed: Deployed, night: Start, start_worker: StartWorker
) -> None:
    tables = TABLES[:number]
    workers = [start_worker() for _ in range(2)]
    done = ended(night("--tables", ",".join(tables)))
    says(done, 0, *(f"{table} " for table in tables), "published")
    deployed.are_copied(tables)
    runs = deployed.runs()
    assert sorted(run["parameters"]["table"] for run in runs) == tables, (done, runs)
    assert deployed.states() == {"COMPLETED"}
    assert at_once(runs) == 2
    taken = [worker.runs() for worker in workers]
    assert all(taken)
    assert set.union(*taken) == {run["id"] for run in runs}
    snapshots = deployed.copies("select distinct snapshot_id from raw.sync_runs")
    assert len(snapshots) == 1


@pytest.mark.long
def test_a_table_whose_process_is_killed_is_copied_by_another_run(
    deployed: Deployed, slow: list[str], night: Start, start_worker: StartWorker
) -> None:
    worker = start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        worker.kill_run()
        until(lambda: "CRASHED" in deployed.states())
    says(ended(run), 0, "crashed", "slow", "t1")
    deployed.are_copied(slow)


@pytest.mark.long
def test_a_table_whose_machine_is_gone_fails_and_the_next_night_heals_it(
    deployed: Deployed, slow: list[str], night: Start, start_worker: StartWorker
) -> None:
    worker = start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        worker.kill()
        start_worker()
        says(ended(run), 1, "slow: It has been running for 0:02:00", "1 of 2 tables failed")
    deployed.are_copied(["t1"])
    says(ended(night()), 0, "published")
    deployed.are_copied(slow)


@pytest.mark.long
def test_a_night_that_is_killed_leaves_its_tables_to_the_next(
    deployed: Deployed, slow: list[str], night: Start, start_worker: StartWorker
) -> None:
    start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        run.kill()
        run.communicate()
    says(ended(night()), 0, "published")
    deployed.are_copied(slow)


@pytest.mark.long
def test_a_night_outlives_a_restart_of_the_server(
    deployed: Deployed, slow: list[str], night: Start, start_worker: StartWorker, server: Server
) -> None:
    start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        server.stop()
        server.start()
    says(ended(run), 0, "published")
    deployed.are_copied(slow)


@pytest.mark.long
def test_an_order_whose_answer_is_lost_starts_one_run(
    deployed: Deployed, night: Start, start_worker: StartWorker, environment: dict[str, str]
) -> None:
    start_worker()
    server = environment["PREFECT_API_URL"].removesuffix("/api")
    with forgetful(server, "/create_flow_run") as way:
        environment["PREFECT_API_URL"] = f"{way}/api"
        says(ended(night("--tables", "t0")), 0, "t0", "published")
    assert [run["parameters"]["table"] for run in deployed.runs()] == ["t0"]
    deployed.are_copied(["t0"])


@pytest.mark.long
def test_a_run_by_hand_beside_the_night_doubles_nothing(
    deployed: Deployed, slow: list[str], night: Start, start_worker: StartWorker
) -> None:
    for _ in range(2):
        start_worker()
    with blocked(deployed.source_url) as until_read:
        first = night()
        until_read()
        second = night("--tables", "slow")
        until(lambda: len(deployed.runs()) == 3)
    says(ended(first), 0, "published")
    says(ended(second), 0, "slow")
    deployed.are_copied(slow)
    ends = "select outcome from raw.sync_runs where table_name = 'slow' and outcome <> 'failed'"
    assert sorted(deployed.copies(ends)) == [("published",), ("superseded",)]


@pytest.mark.long
def test_the_tables_of_two_nights_at_once_stay_within_the_limit_of_their_source(
    deployed: Deployed, night: Start, start_worker: StartWorker
) -> None:
    for _ in range(4):
        start_worker()
    halves = [night("--tables", ",".join(half)) for half in (TABLES[:3], TABLES[3:])]
    for each in halves:
        says(ended(each), 0, "published")
    deployed.are_copied()
    assert at_once(deployed.runs()) == 2


@pytest.mark.long
@pytest.mark.usefixtures("slow")
def test_failures_of_workers_keep_their_kind_and_only_what_may_pass_is_tried_again(
    deployed: Deployed,
    night: Start,
    start_worker: StartWorker,
    config_file: Write,
    source: psycopg.Connection,
) -> None:
    bad = {"name": "t1", "breaker": {"min_rows": ROWS + 1}}
    config_file([bad, {"name": "slow"}], **SPREAD)
    for _ in range(2):
        start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        source.execute("select pg_terminate_backend(%s)", [until_read()])
    told = f"t1: The batch has 1,000 rows, fewer than min_rows {ROWS + 1:,}"
    says(ended(run), 1, "1 of 2 tables failed", told)
    deployed.are_copied(["slow"])
    taken = [run["parameters"]["table"] for run in deployed.runs()]
    assert sorted(taken) == ["slow", "slow", "t1"]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_night_cancels_what_its_workers_copy(
    number: signal.Signals,
    deployed: Deployed,
    slow: list[str],
    night: Start,
    start_worker: StartWorker,
) -> None:
    start_worker()
    with blocked(deployed.source_url) as until_read:
        run = night()
        until_read()
        run.send_signal(number)
        says(ended(run), 130, "Interrupted: nothing half-read was published")
        until(lambda: deployed.states() <= {"COMPLETED", "CANCELLED"})
    says(ended(night()), 0, "published")
    deployed.are_copied(slow)


@pytest.mark.long
def test_a_table_that_no_worker_takes_fails_in_time(
    deployed: Deployed, night: Start, start_worker: StartWorker, config_file: Write
) -> None:
    limits = {**SPREAD["workers"], "start_timeout": "5s"}
    config_file([{"name": "t1"}, {"name": "t2"}], **{**SPREAD, "workers": limits})
    worker = start_worker()
    os.kill(worker.process.pid, signal.SIGSTOP)  # its last sign of life is recent
    done = ended(night())
    says(done, 1, "t1: No worker has started it within 0:00:05", "2 of 2 tables failed")
    until(lambda: deployed.states() == {"CANCELLED"})


@pytest.mark.long
def test_a_cancelled_night_cancels_its_tables_and_the_next_one_works(
    deployed: Deployed,
    slow: list[str],
    night: Start,
    start_worker: StartWorker,
    prefect: Prefect,
    tmp_path: Path,
) -> None:
    for _ in range(2):
        start_worker()
    given = ("--param", f"config={deployed.config}", "--param", "skip_dbt=true")
    with blocked(deployed.source_url) as until_read:
        prefect("deployment", "run", "daily/daily", *given, cwd=tmp_path)
        until_read()
        begun = [run for run in deployed.runs("daily") if run["state"]["type"] != "SCHEDULED"]
        [parent] = begun  # beside those that the schedule has planned
        prefect("flow-run", "cancel", parent["id"], cwd=tmp_path)
        until(
            lambda: (
                found(deployed.api.get(f"/flow_runs/{parent['id']}"))["state"]["type"]
                == "CANCELLED"
            )
        )
        until(
            lambda: {run["state"]["type"] for run in deployed.runs()} <= {"COMPLETED", "CANCELLED"}
        )
    says(ended(night()), 0, "published")
    deployed.are_copied(slow)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("no pool worker", "No worker of the work pool daybreak is online. Run `prefect worker"),
        ("paused", "The work pool daybreak is paused. Run `prefect work-pool resume daybreak`"),
        ("older", "The deployment extract-load/extract-load is of another version. Run `make"),
        ("missing", "Prefect knows no deployment extract-load/extract-load. Run `make deploy`"),
    ],
)
@pytest.mark.long
def test_what_keeps_workers_from_working_is_said_with_the_command_that_helps(
    broken: str, told: str, deployed: Deployed, night: Start
) -> None:
    api = deployed.api
    known = found(api.get("/deployments/name/extract-load/extract-load"))
    if broken == "paused":
        api.patch("/work_pools/daybreak", json={"is_paused": True}).raise_for_status()
    if broken == "missing":
        api.delete(f"/deployments/{known['id']}").raise_for_status()
    if broken == "older":
        older = {**known["parameter_openapi_schema"], "properties": {"table": {"type": "string"}}}
        change = {"parameter_openapi_schema": older}
        api.patch(f"/deployments/{known['id']}", json=change).raise_for_status()
    says(ended(night()), 1, told)
