"""Modes that replace parts of a copy: what they replace equals the source, the rest stays."""

from typing import Any

import psycopg
import pytest

from tasks.errors import BreakerTripped
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Run, Sync, Write, few_of, says
from tests.warehouses import Copy

APPENDED = {"name": "t", "mode": "incremental", "append_only": True, "cursor": "at", "lag": "0"}
BY_DAY = {"name": "t", "mode": "partition_overwrite", "partition_by": "day"}
CHANGED = {**BY_DAY, "cursor": "at", "lag": "0"}
MAKE_EVENTS = """
create table t (id int, day date, note text default 'a', at timestamptz default clock_timestamp());
insert into t select g, '2024-01-01'::date + g / 10, 'old', now() - interval '1 day'
from generate_series(0, 99) g;
"""
SOURCE_COLUMNS = "select id, cast(day as varchar), note from {}t"


def rows(source: psycopg.Connection) -> list[tuple[Any, ...]]:
    return sorted(source.execute(SOURCE_COLUMNS.format("").encode()), key=str)


def copies(warehouse: Copy) -> list[tuple[Any, ...]]:
    return sorted(warehouse(SOURCE_COLUMNS.format("raw.")), key=str)


def letters(warehouse: Copy) -> list[tuple[Any, ...]]:
    """Value of every open dead letter, and whether the row's previous version was kept."""
    return sorted(
        warehouse(
            "select value, previous_version_kept from raw.dead_letters where closed_at is null"
        )
    )


@ON_BOTH
def test_rows_that_are_only_added_need_no_key_and_arrive_once(
    source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    source.execute("insert into t values (7, '2024-01-01', 'twin'), (7, '2024-01-01', 'twin')")
    sync(APPENDED)
    with psycopg.connect(source_url) as late:
        late.execute("insert into t (id, at) values (100, now())")
        source.execute("insert into t (id) values (101), (102)")
        source.execute("insert into t (id, at) values (103, null), (103, null)")
        assert sync(APPENDED).rows_read < 10
    for _ in range(2):
        sync(APPENDED)
        assert copies(warehouse) == rows(source)


@SNOWFLAKE_IN_LONG
def test_a_row_that_was_added_and_changed_after_all_leaves_no_copy_where_there_is_a_key(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    sync(APPENDED)
    source.execute("update t set note = 'changed', at = clock_timestamp() where id = 5")
    sync(APPENDED)
    assert copies(warehouse) == rows(source)


@SNOWFLAKE_IN_LONG
def test_the_letters_of_rows_that_were_added_are_closed_when_their_span_is_replaced(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    table = {
        **APPENDED,
        "rules": {"accepted": {"note": ["old", "a"]}},
        "breaker": {"max_dead_letter_ratio": 1},
    }
    source.execute("insert into t (id, note, at) values (200, 'early', now() - interval '2 days')")
    sync(table)
    source.execute("insert into t (id, note) values (201, 'bad'), (202, 'worse')")
    source.execute("insert into t (id, note, at) values (203, 'timeless', null)")
    sync(table)
    assert letters(warehouse) == [
        ("bad", False),
        ("early", False),
        ("timeless", False),
        ("worse", False),
    ]
    source.execute("update t set note = 'a' where id in (202, 203)")
    sync(table)
    # The watermark is the worse row's cursor, and the bad one's is below it.
    assert letters(warehouse) == [("bad", False), ("early", False)]


PARTITIONS = {
    "date": ("date", "'2024-01-01'::date + g / 10", {}),
    "timestamp": (
        "timestamp",
        "'2024-01-01 23:59:59.999999'::timestamp + g / 10 * interval '1 day'",
        {},
    ),
    "timestamptz": ("timestamptz", "'2024-01-01Z'::timestamptz + g * interval '7 minutes'",
                    {"partition_unit": "hour"}),
    "month": ("date", "'2024-01-01'::date + g", {"partition_unit": "month"}),
    "integer": ("int", "g / 10 - 3", {}),
    "text": ("text", "(array['', 'a', 'A', 'ä', 'a''b', ' a', '2024-01'])[1 + g % 7]", {}),
    "citext": ("public.citext", "(array['a', 'A', 'b', 'B'])[1 + g % 4]", {}),
    "char": ("char(3)", "(array['a', 'b ', 'c'])[1 + g % 3]", {}),
}  # fmt: skip


@ON_BOTH
@pytest.mark.parametrize(
    ("kind", "value", "settings"),
    few_of(PARTITIONS.values(), *map(PARTITIONS.get, ("date", "timestamptz", "integer", "text"))),
    ids=list(PARTITIONS),
)
def test_the_partitions_of_changed_rows_are_rewritten_and_no_others(
    kind: str,
    value: str,
    settings: dict[str, Any],
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
) -> None:
    source.execute("create extension citext")
    source.execute(
        f"create table t (id int primary key, day {kind}, note text, at timestamptz);"
        f"insert into t select g, {value}, 'old', now() - interval '1 day'"
        " from generate_series(0, 99) g; insert into t values (100, null, 'old', now())".encode()
    )
    if kind in ("date", "int", "text"):
        source.execute("create index on t (day); create index on t (at)")
    table = {**CHANGED, **settings}
    sync(table)
    source.execute("update t set note = 'new', at = clock_timestamp() where id = 5")
    source.execute("delete from t where id = 6 or id = 51")
    source.execute("insert into t select 101, day, 'added', clock_timestamp() from t where id = 8")
    assert 0 < sync(table).rows_read < 70
    found: list[tuple[int, str]] = sorted(warehouse("select id, note from raw.t"))
    assert len(found) == len(dict(found))
    assert dict(found)[5] == "new"
    assert dict(found)[101] == "added"
    source.execute("update t set at = clock_timestamp()")
    sync(table)
    everything = source.execute("select id, note from t order by id").fetchall()
    assert sorted(warehouse("select id, note from raw.t")) == everything


@ON_BOTH
def test_a_row_that_moves_between_partitions_leaves_no_copy(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    for table in (CHANGED, {**BY_DAY, "partitions": 1}):
        sync(table)
        source.execute("update t set day = '2024-01-10', at = clock_timestamp() where id < 3")
        source.execute("update t set day = null, at = clock_timestamp() where id in (3, 4)")
        sync(table)
        assert copies(warehouse) == rows(source)
        source.execute("update t set day = '2024-01-01', at = clock_timestamp() where id < 5")
        sync(table, full_refresh=True)


@SNOWFLAKE_IN_LONG
def test_a_bad_row_that_moves_between_partitions_leaves_no_copy_either(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    table = {**CHANGED, "rules": {"accepted": {"note": ["old"]}}}
    sync(table)
    source.execute(
        "update t set day = '2024-01-10', note = 'bad', at = clock_timestamp() where id = 3"
    )
    sync(table)
    assert copies(warehouse) == [row for row in rows(source) if row[0] != 3]
    assert letters(warehouse) == [("bad", False)]
    source.execute("update t set note = 'old', at = clock_timestamp() where id = 3")
    sync(table)
    assert copies(warehouse) == rows(source)
    assert letters(warehouse) == []


@SNOWFLAKE_IN_LONG
def test_without_a_cursor_the_last_partitions_are_rewritten_and_the_one_without_a_value(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    sync(BY_DAY)
    source.execute("insert into t values (1, null), (2, '2024-01-12'), (3, '2024-01-01')")
    source.execute("update t set note = 'new' where id >= 80")
    sync(BY_DAY)
    found = copies(warehouse)
    assert (1, None, "a") in found
    assert (2, "2024-01-12", "a") in found
    assert (3, "2024-01-01", "a") not in found
    assert [row for row in found if row[2] == "new"] == [row for row in rows(source) if row[0] > 89]
    source.execute("delete from t where day >= '2024-01-09' or day is null")
    sync(BY_DAY)
    assert max(row[1] for row in copies(warehouse)) == "2024-01-08"


@SNOWFLAKE_IN_LONG
def test_when_very_many_partitions_changed_the_whole_table_is_read(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key, day date, note text, at timestamptz)")
    source.execute(
        "insert into t select g, date '2000-01-01' + g, 'old', now() - g * interval '1 hour'"
        " from generate_series(0, 1099) g"
    )
    sync(CHANGED)
    source.execute("update t set note = 'new', at = clock_timestamp() where id < 1000")
    assert sync(CHANGED).rows_read == 1000
    assert copies(warehouse) == rows(source)
    source.execute("update t set note = 'again', at = clock_timestamp()")
    assert sync({**CHANGED, "lag": "1d"}).rows_read == 1100
    assert copies(warehouse) == rows(source)


@SNOWFLAKE_IN_LONG
def test_partitions_that_are_asked_for_are_rewritten_and_an_emptied_one_is_emptied(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    sync(CHANGED)
    before = warehouse("select watermark from raw.sync_state")
    source.execute("delete from t where day = '2024-01-03'; update t set note = 'new'")
    source.execute("insert into t values (200, null)")
    outcome = sync(CHANGED, partitions=["2024-01-03", "2024-01-04", "NULL"])
    assert outcome.rows_read == 11
    found = copies(warehouse)
    assert not [row for row in found if row[1] == "2024-01-03"]
    assert {row[1] for row in found if row[2] == "new"} == {"2024-01-04"}
    assert (200, None, "a") in found
    assert warehouse("select watermark from raw.sync_state") == before
    slices = "select slice from raw.sync_runs order by finished_at"
    assert warehouse(slices) == [(None,), ("2024-01-03, 2024-01-04, NULL",)]


@SNOWFLAKE_IN_LONG
@pytest.mark.parametrize("table", [APPENDED, CHANGED, BY_DAY], ids=["append", "cursor", "last"])
def test_a_day_that_runs_twice_has_equal_source_columns(
    table: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    sync(table)
    source.execute("insert into t values (300, '2024-01-10'), (301, null)")
    sync(table)
    once = copies(warehouse)
    sync(table)
    assert copies(warehouse) == once == rows(source)


@SNOWFLAKE_IN_LONG
def test_unrepresentable_partitions_are_copied_with_those_that_have_no_value(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    source.execute("insert into t values (400, 'infinity'), (401, '0044-03-15 BC'), (402, null)")
    table = {**BY_DAY, "unrepresentable": "null"}
    for _ in range(2):
        sync(table)
        assert [row[:2] for row in copies(warehouse) if row[0] >= 400] == [
            (400, None),
            (401, None),
            (402, None),
        ]


@SNOWFLAKE_IN_LONG
def test_an_emptied_source_does_not_empty_the_copy_unsaid(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    sync(BY_DAY)
    source.execute("truncate t")
    with pytest.raises(BreakerTripped, match="max_shrink_ratio"):
        sync(BY_DAY)
    assert len(copies(warehouse)) == 100


@SNOWFLAKE_IN_LONG
@pytest.mark.parametrize("table", [APPENDED, BY_DAY], ids=["append", "last"])
def test_a_source_of_which_little_is_left_does_not_empty_the_copy_unsaid(
    table: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    source.execute("update t set at = null, day = '2024-01-02' where day > '2024-01-01'")
    sync(table)
    source.execute("delete from t where day > '2024-01-01'")
    with pytest.raises(BreakerTripped, match="The copy would shrink from 100 to 1"):
        sync(table)
    assert len(copies(warehouse)) == 100
    sync(table, forced=True)
    assert len(copies(warehouse)) < 50


@SNOWFLAKE_IN_LONG
def test_a_night_on_which_no_partition_changed_changes_nothing(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS + "alter table t add primary key (id)")
    sync(CHANGED)
    before = copies(warehouse)
    source.execute("update t set at = now() - interval '30 days'")
    assert sync(CHANGED).rows_read == 0
    source.execute("truncate t")
    assert sync(CHANGED).rows_read == 0
    assert copies(warehouse) == before


@pytest.mark.long
@SNOWFLAKE_IN_LONG
def test_the_command_rewrites_the_partitions_it_names(
    source: psycopg.Connection, config_file: Write, run_daily: Run, warehouse: Copy
) -> None:
    source.execute(MAKE_EVENTS)
    config = config_file([BY_DAY])
    says(run_daily("--config", config, "--skip-dbt"), 0, "t: 100 rows published")
    source.execute("update t set note = 'new'")
    done = run_daily("--config", config, "--skip-dbt", "--partitions", "2024-01-02,2024-01-03")
    says(done, 0, "t: 20 rows published")
    assert sum(row[2] == "new" for row in copies(warehouse)) == 20
    done = run_daily("--config", config, "--skip-dbt", "--partitions", "someday")
    says(done, 2, "--partitions names someday", "2026-01-31")
