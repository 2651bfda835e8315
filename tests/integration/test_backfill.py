"""Parts of a table copied anew, slice by slice: exact, resumed, and beside the nights."""

import os
import signal
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, PermanentError
from tests.compare import assert_copied
from tests.conftest import (
    ON_BOTH,
    ROOT,
    SNOWFLAKE_IN_LONG,
    Night,
    Start,
    Sync,
    Write,
    ended,
    few_of,
    says,
)
from tests.faults.steps import Step, once, strike
from tests.warehouses import Copy

TABLE = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0"}
APPENDED = {**TABLE, "append_only": True, "key": []}
FULL = {"name": "t"}
BY_DAY = {"name": "t", "mode": "partition_overwrite", "partition_by": "day"}
MAKE = """
create table t (id int primary key, day date, note text, at timestamptz);
insert into t select g, date '2024-01-01' + g / 100, 'old', '2024-01-01'::timestamptz
    + g * interval '1 hour' from generate_series(1, 1000) g;
update t set day = null, at = null where id = 500;
"""
CORRECT = "update t set note = 'new' where id % 2 = 0"
STATE = "select watermark, version from raw.sync_state"
DONE = "select slice from raw.sync_runs where mode = 'backfill' and outcome = 'published'"


@pytest.fixture
def backfill(night: Night, config_file: Write) -> Night:  # noqa: ARG001
    """Runs the flow in this process: `backfill(table, start=...)`."""
    from flows.backfill import backfill

    def run(table: dict[str, Any], **options: Any) -> None:
        backfill("t", str(config_file([table])), **options)

    return run


@SNOWFLAKE_IN_LONG
def test_a_range_of_the_cursor_is_filled_in_slices_and_the_watermark_stays(
    source: psycopg.Connection,
    sync: Sync,
    backfill: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE)
    sync(TABLE)
    source.execute(CORRECT)
    [(watermark, version)] = warehouse(STATE)
    backfill(TABLE, start="2024-01-02", end="2024-01-12", slices=4)
    assert warehouse("select min(id), max(id), count(*) from raw.t where note = 'new'") == [
        (24, 262, 120)
    ]
    assert warehouse("select count(*), count(distinct id) from raw.t") == [(1000, 1000)]
    assert warehouse(STATE) == [(watermark, version + 4)]
    backfill(TABLE, start="2024-01-02", end="2024-01-12", slices=4)
    assert len(warehouse(DONE)) == 8


@pytest.mark.parametrize(
    ("warehouse", "table"),
    [
        *(("duckdb", each) for each in (TABLE, APPENDED, FULL, BY_DAY)),
        pytest.param("snowflake", BY_DAY, marks=pytest.mark.long),
    ],
    indirect=["warehouse"],
)
def test_a_whole_table_is_filled_in_slices_with_rows_that_have_no_value(
    table: dict[str, Any],
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    backfill: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE)
    if table is APPENDED:
        source.execute("alter table t drop constraint t_pkey")
    sync(table, full_refresh=True)
    source.execute("update t set note = 'new'")
    before = warehouse("select watermark from raw.sync_state")
    backfill(table, slices=3)
    assert_copied(source_url, "t", warehouse)
    assert warehouse("select watermark from raw.sync_state") == before
    assert len(warehouse(DONE)) == 4


def test_partitions_are_filled_one_by_one(
    source: psycopg.Connection,
    sync: Sync,
    backfill: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE)
    sync(BY_DAY, full_refresh=True)
    source.execute("update t set note = 'new'; delete from t where id = 101")
    backfill(BY_DAY, partitions=["2024-01-02", "NULL"])
    assert warehouse("select count(*), count(distinct day) from raw.t where note = 'new'") == [
        (100, 1)
    ]
    assert sorted(warehouse(DONE)) == [("2024-01-02",), ("NULL",)]


def test_a_dry_run_says_rows_and_time_and_does_nothing(
    source: psycopg.Connection,
    sync: Sync,
    backfill: Night,
    warehouse: Copy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source.execute(MAKE)
    source.execute("analyze t")
    sync(TABLE)
    before = warehouse(STATE)
    capsys.readouterr()
    backfill(TABLE, slices=2, dry_run=True)
    said = capsys.readouterr().out
    assert "t: whole, in 3 slices" in said
    assert "rows/s of its largest publish" in said
    assert "without a value: about 1 rows" in said
    assert (warehouse(STATE), warehouse(DONE)) == (before, [])


IMPOSSIBLE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (TABLE, {"start": "2024-02-01", "end": "2024-01-01"}, "No row is from"),
    (TABLE, {"start": "2024-02-01", "end": "2024-02-01"}, "No row is from"),
    (TABLE, {"start": "yesterday", "end": "2024-01-01"}, "yesterday is no value of at"),
    (TABLE, {"partitions": ["2024-01-01"]}, "It has no partitions"),
    (FULL, {"start": "1", "end": "9"}, "It has no cursor"),
    (BY_DAY, {"partitions": ["monday"]}, "names monday"),
]


def test_an_impossible_range_is_refused_with_what_to_write(
    source: psycopg.Connection, sync: Sync, backfill: Night
) -> None:
    source.execute(MAKE)
    sync(FULL)
    for table, asked, words in IMPOSSIBLE:
        with pytest.raises(ConfigError, match=words):
            backfill(table, **asked)


def test_a_backfill_of_a_table_that_was_never_copied_is_refused(
    source: psycopg.Connection, backfill: Night
) -> None:
    source.execute(MAKE)
    with pytest.raises(ConfigError, match="t was never copied"):
        backfill(TABLE)


def test_a_backfill_over_a_schema_change_stops_and_goes_on_after_a_night(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    backfill: Night,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE)
    sync(TABLE)
    with monkeypatch.context() as patch:
        change = once(lambda: source.execute("alter table t add more int"))
        strike(Step("after", "flows.backfill:publish"), change, patch.setattr)
        with pytest.raises(PermanentError, match=r"has changed since its last sync: .*more"):
            backfill(TABLE, slices=3)
    assert len(warehouse(DONE)) == 1
    sync(TABLE)
    backfill(TABLE, slices=3)
    assert len(warehouse(DONE)) == 4
    assert_copied(source_url, "t", warehouse)


@pytest.mark.long
@ON_BOTH
def test_a_slice_that_loses_its_race_is_read_again_on_the_new_version(
    source: psycopg.Connection,
    source_url: str,
    backfill: Night,
    sync: Sync,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE)
    sync(TABLE)

    def change_and_sync() -> None:
        source.execute("update t set note = 'night', at = clock_timestamp() where id <= 20")
        sync(TABLE)

    step = Step("before", "flows.backfill:publish")
    strike(step, once(change_and_sync), monkeypatch.setattr)
    backfill(TABLE, slices=2)
    outcomes = "select outcome, count(*) from raw.sync_runs where mode = 'backfill' group by 1"
    assert sorted(warehouse(outcomes)) == [("planned", 1), ("published", 3), ("superseded", 1)]
    assert_copied(source_url, "t", warehouse)


def test_the_command_says_what_it_does_and_refuses_half_a_range(
    source: psycopg.Connection, sync: Sync, config_file: Write, start_flow: Start
) -> None:
    source.execute(MAKE)
    sync(TABLE)
    path = config_file([TABLE])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return ended(start_flow("backfill.py", "--config", path, "--table", "t", *arguments))

    says(run("--whole", "--slices", "2"), 0, "t: whole, in 3 slices", "slice 3 of 3 published")
    says(run("--from", "2024-01-01"), 2, "--from and --to go together")


KILLED_AT = [
    "snapshot taken",
    "chunk read",
    "staged",
    "before commit",
    "committed",
    "staging dropped",
]
SLICES = 4


@pytest.mark.parametrize(
    ("step", "passes"),
    few_of(
        [(step, passes) for step in KILLED_AT for passes in range(SLICES)],
        ("chunk read", 0),
        ("before commit", 1),
        ("committed", 1),
    ),
)
def test_a_backfill_killed_between_and_inside_slices_goes_on_and_is_exact(
    step: str,
    passes: int,
    source: psycopg.Connection,
    source_url: str,
    prefect_api: str,
    sync: Sync,
    backfill: Night,
    config_file: Write,
    warehouse: Copy,
) -> None:
    source.execute(MAKE)
    sync(TABLE)
    path = config_file([TABLE])
    source.execute("update t set note = 'new'")
    before = warehouse("select watermark from raw.sync_state")
    asked = ["--config", str(path), "--table", "t", "--whole", "--slices", str(SLICES - 1)]
    killed = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", "backfill", step, str(passes), *asked],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_URL": prefect_api},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    done = warehouse(DONE)
    runs = 1 + (len(done) == SLICES)  # one that had published its last slice is begun anew
    backfill(TABLE, slices=SLICES - 1)
    assert_copied(source_url, "t", warehouse)
    begun = "select count(distinct run_id) from raw.sync_runs where slice <> ''"
    assert warehouse(begun) == [(runs,)]
    assert len(warehouse(DONE)) == runs * len({*warehouse(DONE)}) == runs * SLICES
    assert {*done} <= {*warehouse(DONE)}
    assert warehouse("select watermark from raw.sync_state") == before
    assert warehouse.staged() == []
