"""How far a night is: bars on a terminal, plain lines elsewhere, artifacts in Prefect."""

import os
import pty
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress

import psycopg
import pyte
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact

from tasks import progress
from tasks.errors import SyncFailed
from tasks.progress import Reading
from tests.conftest import Night, Run, Start, Write, says

ROWS = 400_000
MANY = (
    f"create table many as select n as id, md5(n::text) as note from generate_series(1, {ROWS}) n"
)
BAR = "━"


@pytest.fixture
def many(source: psycopg.Connection) -> Iterator[None]:
    """Two tables that take a moment to read, of which one is counted."""
    source.execute(MANY)
    source.execute("analyze many")
    source.execute("create table few as select 1 as id")
    yield


def screen(raw: bytes) -> list[str]:
    """What stays on a terminal that was sent these bytes."""
    terminal = pyte.Screen(columns=120, lines=200)
    terminal.set_mode(pyte.modes.LNM)
    pyte.ByteStream(terminal).feed(raw)
    return [line.rstrip() for line in terminal.display]


@pytest.mark.usefixtures("many")
def test_on_a_terminal_bars_stand_below_whole_lines_and_are_gone_at_the_end(
    start_daily: Start, config_file: Write
) -> None:
    path = config_file([{"name": "many"}, {"name": "few"}])
    ours, theirs = pty.openpty()
    process = start_daily(
        "--config",
        path,
        "--skip-dbt",
        stdout=theirs,
        environment={"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    raw = b""
    with suppress(OSError):  # which is how Linux says that nobody has the other end any more
        while chunk := os.read(ours, 65536):
            raw += chunk
    os.close(ours)
    assert process.wait(60) == 0, raw.decode()
    assert BAR in raw.decode(), "a bar was drawn"
    lines = screen(raw)
    assert BAR not in "".join(lines)
    for words in (
        "many: 400,000 rows read in",
        "few: 1 rows read in",
        "many: 400,000 rows published",
    ):
        [line] = [line for line in lines if words in line]
        assert line[2] == line[5] == ":", f"it starts with its time of day: {line}"
    assert any(line.split()[:2] == ["many", "full_refresh"] for line in lines), "the summary"
    assert b"\x1b[?25l" not in raw, "the cursor is never hidden"


@pytest.mark.usefixtures("many")
def test_a_pipe_gets_plain_lines_alone(run_daily: Run, config_file: Write) -> None:
    done = run_daily("--config", config_file([{"name": "many"}]), "--skip-dbt")
    says(done, 0, "many: 400,000 rows read in")
    assert "\x1b" not in done.stdout
    assert BAR not in done.stdout


def artifacts(key: str) -> list[Artifact]:
    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )


@pytest.mark.usefixtures("many")
def test_a_longer_reading_has_a_progress_artifact_that_ends_at_100(
    night: Night, config_file: Write, source: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "ARTIFACT_SECONDS", 0.02)
    table = f"many_{time.time_ns()}"
    source.execute(f"alter table many rename to {table}".encode())
    night(config_file([{"name": table}]))
    [kept] = artifacts(f"progress-{table.replace('_', '-')}")
    assert kept.type == "progress"
    assert kept.data == 100
    assert kept.description is not None
    assert kept.description.startswith(f"{table}: 400,000 rows read, ")
    assert kept.task_run_id is not None


@pytest.mark.usefixtures("many")
def test_a_reading_that_fails_leaves_its_artifact_below_100(
    night: Night, config_file: Write, source: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "ARTIFACT_SECONDS", 0.02)
    table = f"many_{time.time_ns()}"
    source.execute(f"alter table many rename to {table}".encode())
    source.execute(f"alter table {table} add paid_on date".encode())
    source.execute(f"update {table} set paid_on = 'infinity' where id = 1".encode())  # the last row
    with pytest.raises(SyncFailed, match="paid_on"):
        night(config_file([{"name": table, "unrepresentable": "fail"}]))
    [kept] = artifacts(f"progress-{table.replace('_', '-')}")
    assert 0 < float(kept.data) < 100  # type: ignore[arg-type]


def reading(expected: int | None) -> tuple[Reading, list[str]]:
    said: list[str] = []
    return Reading("t", expected, lambda one: said.append(str(one)), every=0), said


def test_a_reading_tells_rows_rate_bytes_and_what_remains() -> None:
    one, said = reading(1000)
    one.started = time.monotonic() - 10
    one.tell(250, 2_500_000)
    assert said == ["250 rows read, 25 rows/s, 2.5 MB, about 30 s remain"]
    assert one.percent == 25


@pytest.mark.parametrize("expected", [None, 0, 100])
def test_no_time_is_told_without_an_estimate_or_past_it(expected: int | None) -> None:
    one, said = reading(expected)
    one.tell(250, 1)
    assert "remain" not in said[0]
    assert one.percent < 100


def test_a_part_of_a_table_is_expected_to_be_as_large_as_the_last(
    night: Night, config_file: Write, source: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[int | None] = []

    def shown(table: str, rows: int | None) -> AbstractContextManager[Reading]:
        expected.append(rows)
        return progress.shown(table, rows)

    monkeypatch.setattr("tasks.extract.shown", shown)
    source.execute("create table t (id int primary key, at timestamptz)")
    path = config_file([{"name": "t", "mode": "incremental", "cursor": "at"}])
    for rows in (5, 2, 1):
        source.execute(
            "insert into t select n, clock_timestamp() from generate_series(1, %s) n"
            " on conflict (id) do update set at = excluded.at",
            [rows],
        )
        night(path)
    assert expected == [None, None, 5]
