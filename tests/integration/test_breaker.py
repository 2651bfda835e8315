"""The circuit breaker: what it stops is not published, and is when it is mended or forced."""

import re
from typing import Any

import psycopg
import pytest

from tasks.errors import BreakerTripped
from tests.conftest import ON_BOTH, Run, Sync, Write, says
from tests.faults.steps import many_chunks
from tests.warehouses import Copy

TABLE = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0"}
FULL = {"name": "t"}
APPENDED = {**TABLE, "append_only": True}
BY_DAY = {"name": "t", "mode": "partition_overwrite", "partition_by": "day"}
STRICT = {"rules": {"accepted": {"note": ["a"]}}}
MAKE = """
create table t (id int primary key, day date default '2024-01-01', note text default 'a',
                at timestamptz default clock_timestamp());
insert into t select g, '2024-01-01', 'a', now() - (300 - g) * interval '1 hour'
from generate_series(1, 200) g;
"""
STATE = "select version, watermark from raw.sync_state"
FAILED = "select error from raw.sync_runs where outcome = 'failed'"


def copied(warehouse: Copy) -> int:
    return int(warehouse("select count(*) from raw.t")[0][0])


@pytest.mark.parametrize("mode", [TABLE, FULL], ids=["incremental", "full"])
def test_what_trips_keeps_samples_not_letters_until_it_passes_or_is_forced(
    mode: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    table = {**mode, **STRICT}
    sync(table)
    before = warehouse(STATE)
    source.execute("update t set note = 'bad', at = clock_timestamp() where id <= 150")
    for _ in range(2):
        with pytest.raises(BreakerTripped, match=r"^t: 150 of \d+ rows .*\{\"id\":\"5\"\}\. "):
            sync(table)
        assert warehouse(STATE) == before
        assert copied(warehouse) == 200
        assert warehouse("select * from raw.dead_letters") == []
        assert warehouse.staged() == []
    source.execute("update t set note = 'a' where id > 1")
    assert sync(table).rows_dead_lettered == 1
    source.execute("update t set note = 'bad', at = clock_timestamp() where id <= 150")
    outcome = sync(table, forced=True)
    assert outcome.rows_dead_lettered == 150
    assert warehouse("select count(*) from raw.dead_letters where closed_at is null") == [(150,)]
    told = warehouse("select forced from raw.sync_runs where outcome = 'published'"
                     " order by finished_at")  # fmt: skip
    assert [said for (said,) in told] == [None, None, outcome.forced]
    assert "150 of" in str(outcome.forced)


@pytest.mark.parametrize(
    ("warehouse", "mode"),
    [
        ("duckdb", TABLE),
        ("duckdb", APPENDED),
        ("duckdb", FULL),
        ("duckdb", BY_DAY),
        ("snowflake", APPENDED),
    ],
    indirect=["warehouse"],
)
def test_a_copy_that_would_grow_too_much_is_not_published(
    mode: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    table = {**mode, "breaker": {"max_growth_ratio": 0.5}}
    sync(table)
    source.execute("update t set note = 'b', at = clock_timestamp()")
    source.execute("insert into t (id) select generate_series(201, 300)")
    sync(table)
    assert copied(warehouse) == 300
    source.execute("insert into t (id) select generate_series(301, 451)")
    with pytest.raises(BreakerTripped, match=r"would grow from 300 to 451 rows.*50%"):
        sync(table)
    assert copied(warehouse) == 300
    outcome = sync(table, forced=True)
    assert copied(warehouse) == 451
    assert "max_growth_ratio" in str(outcome.forced)


@ON_BOTH
def test_growth_is_told_from_changes_also_of_renamed_keys_and_where_rows_are_deleted(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    table = {**TABLE, "deletes": "soft", "breaker": {"max_growth_ratio": 0.1}}
    sync(table)
    source.execute("delete from t where id <= 50")
    source.execute("insert into t (id) select generate_series(901, 950)")
    sync(table)
    assert warehouse("select count(*) from raw.t where _deleted_at is null") == [(200,)]
    source.execute("alter table t rename id to number; update t set at = clock_timestamp()")
    sync(table)
    source.execute("insert into t (number) select generate_series(1, 50)")
    with pytest.raises(BreakerTripped, match="from 200 to 250 rows"):
        sync(table)


def test_a_batch_with_too_few_rows_is_not_published(source: psycopg.Connection, sync: Sync) -> None:
    source.execute(MAKE)
    table = {**TABLE, "breaker": {"min_rows": 3}}
    sync(table)
    source.execute("update t set at = clock_timestamp() where id = 1")
    with pytest.raises(BreakerTripped, match="The batch has 2 rows, fewer than min_rows 3"):
        sync(table)
    source.execute("update t set at = clock_timestamp() where id = 2")
    assert sync(table).rows_published == 3


EARLY = {
    "dead letters": (
        STRICT,
        "update t set note = 'bad'",
        'so far, and the table holds .* such as note: accepted at {"id":"',
    ),
    "nulls": (
        {"breaker": {"max_null_ratio": {"note": 0.1}}},
        "update t set note = null",
        'more than max_null_ratio 10.00% so far, .*such as {"id":"',
    ),
    "growth": (
        {"breaker": {"max_growth_ratio": 0.1}},
        "insert into t (id) select generate_series(30001, 50000)",
        "would grow from 20,000 to",
    ),
}


@pytest.mark.parametrize(("settings", "change", "told"), EARLY.values(), ids=list(EARLY))
def test_a_table_that_is_bound_to_be_refused_is_not_read_to_its_end(
    settings: dict[str, Any],
    change: str,
    told: str,
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many_chunks(monkeypatch.setattr)
    source.execute(MAKE + "insert into t (id) select generate_series(201, 20000)")
    sync({**FULL, **settings})
    source.execute(change.encode())
    with pytest.raises(BreakerTripped, match=told) as tripped:
        sync({**FULL, **settings})
    seen = re.search(r"(?:of|to) ([\d,]+) rows", str(tripped.value))
    [(there,)] = source.execute("select count(*) from t")
    assert seen
    assert int(seen[1].replace(",", "")) < there
    assert copied(warehouse) == 20000
    assert warehouse.staged() == []


def test_the_command_forces_the_tables_it_names_and_says_so(
    source: psycopg.Connection, config_file: Write, run_daily: Run, warehouse: Copy
) -> None:
    source.execute(MAKE + "update t set note = 'bad' where id <= 150")
    config = config_file([{**FULL, **STRICT}])
    done = run_daily("--config", config, "--skip-dbt", "--force", "nope")
    says(done, 2, "--force names nope, which this run does not copy. Choose among t.")
    done = run_daily("--config", config, "--skip-dbt", "--force", "t")
    says(done, 0, "t: published by --force: 150 of 200 rows broke a rule (75.00%)")
    assert copied(warehouse) == 50
