"""Rows that left the source, or that the copy lacks: found by their keys, whatever the cursor."""

from typing import Any

import psycopg
import pytest

from tasks.errors import BreakerTripped
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Sync, few_of
from tests.warehouses import Copy

HARD = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0", "deletes": "hard"}
SOFT = {**HARD, "deletes": "soft"}
MAKE = """
create table t (
    id int primary key, note text default 'a', at timestamptz default clock_timestamp());
insert into t select g, 'old', now() - interval '1 day' + g * interval '1 second'
from generate_series(-50, 149) g;
"""
OLD = "now() - interval '9 days'"
DELETED_ROWS = (
    "select rows_deleted from raw.sync_runs where outcome = 'published' order by finished_at"
)


def live(warehouse: Copy) -> list[tuple[Any, ...]]:
    return sorted(warehouse("select id, note from raw.t where _deleted_at is null"))


def rows(source: psycopg.Connection) -> list[tuple[Any, ...]]:
    return sorted(source.execute("select id, note from t"))


def letters(warehouse: Copy) -> int:
    return int(warehouse("select count(*) from raw.dead_letters where closed_at is null")[0][0])


@ON_BOTH
def test_deleted_rows_leave_and_missing_rows_come(
    source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(HARD)
    source.execute("delete from t where id in (-50, 0, 7)")
    source.execute(f"insert into t values (1000, 'restored', {OLD}), (1001, 'timeless', null)")
    source.execute("insert into t (id) select generate_series(2000, 2099)")
    source.execute("update t set id = 3000 where id = 8")
    outcome = sync(HARD)
    assert assert_copied(source_url, "t", warehouse) == 299
    assert outcome.rows_published == 104
    assert [deleted for (deleted,) in warehouse(DELETED_ROWS)] == [None, 4]
    assert sync(HARD).rows_published < 10
    assert assert_copied(source_url, "t", warehouse) == 299


@ON_BOTH
def test_deleted_rows_are_marked_and_restored_ones_unmarked(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(SOFT)
    source.execute("delete from t where id < -45")
    sync(SOFT)
    assert live(warehouse) == rows(source)
    marked = "select id, _deleted_at = _synced_at from raw.t where _deleted_at is not null"
    assert sorted(warehouse(marked)) == [(number, True) for number in range(-50, -45)]
    before = warehouse("select _deleted_at from raw.t where id = -46")
    source.execute(f"insert into t values (-50, 'by a backup', {OLD})")
    source.execute("insert into t values (-49, 'by the application')")
    for _ in range(2):
        sync(SOFT)
        assert live(warehouse) == rows(source)
        assert [number for number, _ in sorted(warehouse(marked))] == [-48, -47, -46]
    assert warehouse("select _deleted_at from raw.t where id = -46") == before


@SNOWFLAKE_IN_LONG
def test_a_full_read_keeps_the_rows_that_are_marked_and_marks_more(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync({**HARD, "deletes": "ignore"})
    source.execute("delete from t where id = 1")
    sync(SOFT)
    source.execute("delete from t where id = 2")
    sync(SOFT)
    source.execute("delete from t where id = 3")
    source.execute(f"insert into t values (2, 'again', {OLD})")
    sync(SOFT, full_refresh=True)
    assert live(warehouse) == rows(source)
    gone = "select id from raw.t where _deleted_at is not null"
    assert sorted(warehouse(gone)) == [(1,), (3,)]
    source.execute("delete from t where id < 100")
    with pytest.raises(BreakerTripped, match="max_shrink_ratio"):
        sync(SOFT, full_refresh=True)
    sync({"name": "t", "deletes": "soft", "breaker": {"max_shrink_ratio": 1}})
    assert live(warehouse) == rows(source)
    assert len(warehouse(gone)) == 150
    sync({"name": "t"})
    assert sorted(warehouse("select id, note from raw.t")) == rows(source)


@SNOWFLAKE_IN_LONG
@pytest.mark.parametrize("table", [HARD, SOFT], ids=["hard", "soft"])
def test_a_renamed_key_is_compared_the_night_after(
    table: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(table)
    source.execute("alter table t rename id to number; delete from t where number = 7")
    sync(table)
    sync(table)
    live = "select number from raw.t" + (" where _deleted_at is null" if table == SOFT else "")
    assert sorted(warehouse(live)) == sorted(source.execute("select number from t"))


@SNOWFLAKE_IN_LONG
def test_marked_rows_follow_what_becomes_of_the_columns(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE + "alter table t add colour text default 'red'")
    sync(SOFT)
    source.execute("delete from t where id = 1")
    sync(SOFT)
    source.execute("alter table t rename note to remark; alter table t drop colour")
    source.execute("alter table t add size int default 7; delete from t where id = 2")
    for full_refresh in (False, True):
        sync(SOFT, full_refresh=full_refresh)
        marked = "select id, remark, size from raw.t where _deleted_at is not null"
        assert sorted(warehouse(marked)) == [(1, "old", None), (2, "old", None)]
        assert len(warehouse("select id from raw.t where _deleted_at is null")) == 198


@ON_BOTH
def test_a_mask_that_comes_later_hides_the_values_of_rows_that_are_marked(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE + "alter table t add phone text default '0228'")
    sync(SOFT)
    source.execute("delete from t where id = 1")
    sync(SOFT)
    source.execute("delete from t where id = 2")
    masked = {**SOFT, "columns": {"mask": {"note": "redact", "phone": "drop"}}}
    for full_refresh in (False, True):
        sync(masked, full_refresh=full_refresh)
        marked = "select id, note, phone from raw.t where _deleted_at is not null"
        assert sorted(warehouse(marked)) == [(1, None, None), (2, None, None)]
        assert warehouse("select distinct note, phone from raw.t where _deleted_at is null") == [
            ("***", None)
        ]
    source.execute("delete from t where id = 3")
    sync(masked)
    sync(masked, full_refresh=True)
    assert warehouse("select note from raw.t where id = 3") == [("***",)]


KEYS = {
    "composite": ("a int, b text", "g / 7, repeat('x', g % 7)", "a, b"),
    "text": ("a text", "(array['', ' ', 'é', 'a''b', '{', E'\\n\\\\'])[1 + g % 6] || g", "a"),
    "uuid": ("a uuid", "md5(g::text)::uuid", "a"),
    "numeric": ("a numeric(20, 3)", "(g - 50) / 8.0", "a"),
    "wide numeric": ("a numeric(50, 3)", "(g - 50) / 8.0", "a"),
    "date": ("a date", "'0001-01-01'::date + g * 700", "a"),
    "timestamptz": ("a timestamptz, b bool", "'1969-12-31Z'::timestamptz + g / 2 * interval"
                    " '7.000001 hours', g % 2 = 0", "a, b"),
    "timestamp": ("a timestamp, b bigint", "'1969-12-31'::timestamp + g * interval '0.5 s',"
                  " g::bigint << 50", "a, b"),
    "char": ("a char(5), b smallint", "g::text, -g", "a, b"),
    "quoted": ('"A b" int', "g", '"A b"'),
}  # fmt: skip


@ON_BOTH
@pytest.mark.parametrize(
    ("columns", "values", "key"),
    few_of(KEYS.values(), *map(KEYS.get, ("composite", "numeric", "timestamptz"))),
    ids=list(KEYS),
)
def test_keys_of_any_kind_are_compared(
    columns: str,
    values: str,
    key: str,
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
) -> None:
    source.execute(
        f"create table t ({columns}, n int, at timestamptz, primary key ({key}));"
        f"insert into t select {values}, g, now() + g * interval '1 us'"
        " from generate_series(0, 99) g".encode()
    )
    sync(HARD)
    source.execute("create table kept as select * from t where n in (1, 2)")
    source.execute("delete from t where n in (1, 2, 3)")
    sync(HARD)
    assert sync(HARD).rows_published <= 1
    source.execute(f"update kept set at = {OLD}; insert into t select * from kept".encode())
    assert sync(HARD).rows_published == 3
    numbers = source.execute("select n from t order by n").fetchall()
    assert sorted(warehouse("select n from raw.t")) == numbers
    assert [deleted for (deleted,) in warehouse(DELETED_ROWS)] == [None, 3, 0, 0]


@SNOWFLAKE_IN_LONG
def test_keys_are_compared_whatever_the_encoding_of_the_source(
    postgres: str, sync: Sync, warehouse: Copy
) -> None:
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute("create database latin encoding latin1 locale 'C' template template0")
        url = postgres.replace("/postgres?", "/latin?")
        with psycopg.connect(url, autocommit=True) as source:
            source.execute("create table t (id text primary key, at timestamptz)")
            source.execute("insert into t select 'ä' || g, now() from generate_series(1, 9) g")
            sync(HARD, url=url)
            source.execute("delete from t where id = 'ä1'")
        sync(HARD, url=url)
        server.execute("drop database latin with (force)")
    assert len(warehouse("select id from raw.t")) == 8
    assert [deleted for (deleted,) in warehouse(DELETED_ROWS)] == [None, 1]


@ON_BOTH
def test_rows_in_the_dead_letters_count_as_copied_until_they_are_deleted(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    table = {
        **HARD,
        "rules": {"accepted": {"note": ["old", "a"]}},
        "breaker": {"max_dead_letter_ratio": 1},
    }
    source.execute(f"insert into t values (200, 'bad', {OLD})")
    sync(table)
    source.execute("update t set note = 'worse', at = clock_timestamp() where id = 1")
    sync(table)
    assert letters(warehouse) == 2
    assert sync(table).rows_published == 0
    assert warehouse("select note from raw.t where id = 1") == [("old",)]
    source.execute("delete from t where id in (1, 200)")
    sync(table)
    assert letters(warehouse) == 0
    assert sorted(warehouse("select id, note from raw.t")) == rows(source)


@SNOWFLAKE_IN_LONG
def test_rows_that_no_copy_can_hold_are_neither_deleted_nor_read_again(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create table t (day date, since timestamptz, at timestamptz,"
                   " primary key (day, since))")  # fmt: skip
    source.execute("insert into t select '2024-01-01'::date + g, now(), now()"
                   " from generate_series(1, 100) g")  # fmt: skip
    table = {**HARD, "breaker": {"max_dead_letter_ratio": 1}}
    sync(table)
    source.execute(
        "insert into t values ('infinity', now(), now()), ('0044-03-15 BC', now(), now()),"
        " ('2024-01-01', '-infinity', now())"
    )
    sync(table)
    source.execute(f"insert into t values ('2024-01-01', now(), {OLD})")
    assert sync(table).rows_published == 1
    assert letters(warehouse) == 3
    assert sync(table).rows_read <= 3


@SNOWFLAKE_IN_LONG
def test_too_many_deleted_rows_stop_the_table(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(HARD)
    source.execute("truncate t; insert into t (id) select generate_series(1000, 1300)")
    with pytest.raises(BreakerTripped, match="max_shrink_ratio"):
        sync(HARD)
    assert len(warehouse("select id from raw.t")) == 200
    assert warehouse("select outcome from raw.sync_runs where outcome = 'failed'") == []
    sync({**HARD, "breaker": {"max_shrink_ratio": 1}})
    assert sorted(warehouse("select id, note from raw.t")) == rows(source)


@SNOWFLAKE_IN_LONG
def test_rows_that_someone_took_from_the_copy_come_back(
    source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(HARD)
    warehouse.change("delete from raw.t where id between 0 and 120")
    sync(HARD)
    assert assert_copied(source_url, "t", warehouse) == 200
