"""Runs that are stopped, cut off or out of room: nothing half-done is seen, the next one works."""

import resource
import signal
import time
from pathlib import Path

import psycopg
import pytest

from tests.compare import assert_copied
from tests.conftest import Night, Run, Start, Write, ended, few_of, says
from tests.interference import blocked, gated
from tests.warehouses import Copy

ROWS = 200_000
INTERRUPTED = 130
STOPPED = "Interrupted: nothing half-read was published"
MB = 1024 * 1024
#: Sizes of a file that can't be passed, and what is full then.
FULL = [(1 * MB, "Staging in"), (26 * MB, "The disk of the warehouse")]


@pytest.fixture
def config(source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy) -> Path:
    """A configuration of one table whose rows have all changed since they were copied.

    It is a view that can't be read while somebody holds the advisory lock 7.
    """
    source.execute("create table rows (id int primary key, note text)")
    source.execute(
        "insert into rows select g, sha512(g::text::bytea)::text from generate_series(1, %s) g",
        [ROWS],
    )
    source.execute(gated("t", "rows"))
    path = config_file(
        [{"name": "t"}],
        # Small files, so that a full disk can be met by the warehouse first.
        warehouse={**warehouse.settings, "file_size": 16},
        defaults={"retries": 1, "retry_delay": "${DELAY:-1s}"},
    )
    night(path)
    source.execute("update rows set note = 'new' || note")
    return path


def test_a_lost_connection_is_retried_and_the_ledger_keeps_both_attempts(
    config: Path, source: psycopg.Connection, source_url: str, start_daily: Start, warehouse: Copy
) -> None:
    with blocked(source_url) as until_read:
        run = start_daily("--config", config, "--skip-dbt")
        source.execute("select pg_terminate_backend(%s)", [until_read()])
    says(ended(run), 0, f"t: {ROWS:,} rows published")
    assert warehouse("select outcome from raw.sync_runs order by finished_at") == [
        ("published",),
        ("failed",),
        ("published",),
    ]
    assert assert_copied(source_url, "t", warehouse) == ROWS


def check_next_run(config: Path, night: Night, warehouse: Copy, source_url: str) -> None:
    """The old copy stands as it was, and another run replaces it and leaves nothing behind."""
    assert warehouse("select count(*) from raw.t where note not like 'new%'") == [(ROWS,)]
    night(config)
    assert assert_copied(source_url, "t", warehouse) == ROWS
    assert warehouse("select count(*) from duckdb_tables() where table_name like 'stg%'") == [(0,)]
    assert not any((config.parent / "warehouse.staging").glob("*"))


@pytest.mark.parametrize("number", few_of([signal.SIGINT, signal.SIGTERM], signal.SIGTERM))
def test_a_run_that_is_stopped_while_it_reads_says_so_and_the_next_works(
    number: signal.Signals,
    config: Path,
    source_url: str,
    start_daily: Start,
    night: Night,
    warehouse: Copy,
) -> None:
    with blocked(source_url) as until_read:
        run = start_daily("--config", config, "--skip-dbt")
        until_read()
        run.send_signal(number)
        says(ended(run), INTERRUPTED, STOPPED)
    check_next_run(config, night, warehouse, source_url)


def test_a_run_that_is_stopped_while_it_waits_for_a_retry_does_not_wait_for_it(
    config: Path,
    source: psycopg.Connection,
    source_url: str,
    start_daily: Start,
    night: Night,
    warehouse: Copy,
) -> None:
    with blocked(source_url) as until_read:
        run = start_daily("--config", config, "--skip-dbt", environment={"DELAY": "1d"})
        source.execute("select pg_terminate_backend(%s)", [until_read()])
        assert run.stdout is not None
        while "t: PostgreSQL said" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        says(ended(run), INTERRUPTED, STOPPED)
    check_next_run(config, night, warehouse, source_url)


@pytest.mark.parametrize(("limit", "what"), few_of(FULL, FULL[0]))
def test_a_full_disk_is_said_with_the_remedy_and_the_next_run_works(
    limit: int,
    what: str,
    config: Path,
    source_url: str,
    run_daily: Run,
    night: Night,
    warehouse: Copy,
) -> None:
    def no_larger_file() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = run_daily("--config", config, "--skip-dbt", preexec_fn=no_larger_file)
    says(done, 1, f"FAILED  1 of 1 tables failed:\n  t: {what}", "full", "Free space")
    check_next_run(config, night, warehouse, source_url)


def test_a_run_that_is_stopped_while_it_still_imports_says_so(start_daily: Start) -> None:
    run = start_daily(environment={"PYTHONPROFILEIMPORTTIME": "1"})
    assert run.stderr is not None
    while "| prefect" not in run.stderr.readline():
        pass
    run.send_signal(signal.SIGINT)
    done = ended(run)
    assert done.returncode == INTERRUPTED
    assert STOPPED in done.stdout
    assert "Traceback" not in done.stderr


def test_a_run_that_is_stopped_while_its_server_starts_leaves_no_process(
    config: Path, start_daily: Start
) -> None:
    run = start_daily("--config", config, environment={"PREFECT_API_URL": ""})
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while not (server := children.read_text().split()):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    says(ended(run), INTERRUPTED, STOPPED)
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in server):
        time.sleep(0.05)
