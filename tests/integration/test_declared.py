"""Columns declared as another type, types that nobody knows, and keys that have one text."""

from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, PermanentError
from tasks.transfer.types import Limits
from tasks.warehouse import duckdb_names
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, Sync
from tests.warehouses import Copy, SnowflakeCopy

LOOSE = {"max_dead_letter_ratio": 1, "max_shrink_ratio": 1}
MAKE = """
create table t (id int primary key, amount numeric, rate float8, code text, seen text, payload json,
                spots int[]);
insert into t values
(1, 1.5, 0.1, '007', '2026-01-31T12:00:00Z', '{"a":[1]}', '{1,2}'),
(2, -123456789012345678901234567.123456789, 1e-5, '-1', '2026-01-31 13:00+01', '{"a":1,"a":2}',
 '[0:0]={7}'),
(3, 0.0000000001, 1e30, '12a', 'yesterday', 'null', '{}'),
(4, 'NaN', 'NaN', null, null, null, null)
"""
AS = {
    "amount": "numeric(38,9)",
    "rate": "numeric(38,9)",
    "code": "smallint",
    "seen": "timestamptz",
    "payload": "jsonb",
    "spots": "text",
}
DECLARED = {"name": "t", "columns": {"as": AS}, "unrepresentable": "null", "breaker": LOOSE}


def texts(warehouse: Copy) -> list[tuple[Any, ...]]:
    columns = ", ".join(f"{warehouse.column(name)}::varchar" for name in AS)
    return warehouse(f"select {columns} from raw.t order by id")


@ON_BOTH
def test_a_declared_column_holds_what_is_exactly_a_value_of_its_type(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    outcome = sync(DECLARED)
    seen = "2026-01-31 12:00:00+00"
    assert texts(warehouse) == [
        ("1.500000000", "0.100000000", "7", seen, '{"a":[1]}', "{1,2}"),
        ("-123456789012345678901234567.123456789", "0.000010000", "-1", None, None, "[0:0]={7}"),
        (None, None, None, None, "null", "{}"),
        (None,) * 6,
    ]
    counted = (
        '{"amount": {"null": 2}, "code": {"null": 1}, "payload": {"null": 1},'
        ' "rate": {"null": 2}, "seen": {"null": 2}}'
    )
    figures = "select cells_coerced, cells_unrepresentable from raw.sync_runs"
    assert warehouse(figures) == [(8, counted)]
    assert "2 values of amount don't fit its type and became NULL" in outcome.remarks


@ON_BOTH
def test_another_declaration_copies_the_table_anew(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    source.execute("alter table t add at timestamptz default now()")
    table = {**DECLARED, "mode": "incremental", "cursor": "at", "columns": {}}
    sync(table)
    declared = {**table, "columns": {"as": {"amount": "numeric(38,9)"}}}
    if isinstance(warehouse, SnowflakeCopy):
        with pytest.raises(PermanentError, match=r"and it is NUMBER\(38,9\) now\.") as refused:
            sync(declared)
        warehouse.change(refused.value.remedy.split(";")[0])
    [told] = sync(declared).changes
    assert "rules or columns changed, so it is read in full" in told
    amounts = "select amount::varchar from raw.t order by id"
    assert warehouse(amounts)[:2] == [("1.500000000",), ("-123456789012345678901234567.123456789",)]
    assert sync(declared).changes == ()


def test_values_that_an_as_cant_hold_fail_the_table_where_it_is_to(
    source: psycopg.Connection, sync: Sync
) -> None:
    source.execute(MAKE)
    told = r"^t: 2 values of amount don't fit numeric\(38,9\), for example 0.0000000001, NaN\. Corr"
    with pytest.raises(PermanentError, match=told):
        sync({**DECLARED, "unrepresentable": {"amount": "fail"}})
    with pytest.raises(ConfigError, match=r"^t: columns.as.code is serial, .* Choose among int2, "):
        sync({**DECLARED, "columns": {"as": {"code": "serial"}}})


def test_a_value_that_is_too_long_for_the_warehouse_is_a_letter_that_says_so(
    source: psycopg.Connection, sync: Sync, warehouse: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_names, "WAREHOUSE_LIMITS", Limits(text=150_000, json=5))
    source.execute("create table t (id int primary key, note text, tags text[])")
    source.execute("insert into t values (1, repeat('a', 150001), '{}'), (2, 'b', '{abc}')")
    outcome = sync({"name": "t", "breaker": LOOSE})
    assert outcome.cells_unrepresentable == (
        '{"note": {"dead_letter": 1}, "tags": {"dead_letter": 1}}'
    )
    letters = warehouse("select column_name, value from raw.dead_letters order by 1")
    assert letters == [("note", "a" * 100_000 + "... (150001 bytes)"), ("tags", '["abc"]')]


def test_a_type_that_nobody_knows_is_its_text_and_told_once_or_refused(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create extension cube; create table t (id int primary key, place cube[])")
    source.execute("insert into t values (1, '{\"(1, 2),(3, 4)\"}')")
    with pytest.raises(ConfigError, match=r"place is a \w*\.?cube\[\], and cube.cube is not known"):
        sync({"name": "t", "schema_change": "freeze"})
    told = "column place is copied as text, since cube.cube is not known"
    assert sync({"name": "t"}).changes == (told,)
    assert sync({"name": "t"}).changes == ()
    assert warehouse("select place::varchar from raw.t") == [('["(1, 2),(3, 4)"]',)]


def test_a_label_that_is_renamed_is_renamed_in_rows_whose_cursor_did_not_move(
    source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create type mood as enum ('sad', 'ok')")
    source.execute("create table t (id int primary key, mood mood, at timestamptz)")
    source.execute("insert into t values (1, 'sad', now() - interval '9 days'), (2, 'ok', now())")
    table = {"name": "t", "mode": "incremental", "cursor": "at"}
    sync(table)
    source.execute("alter type mood rename value 'sad' to 'blue'; alter type mood add value 'glad'")
    [told] = sync(table).changes
    assert "mood has other labels or attributes now, so it is read in full" in told
    assert assert_copied(source_url, "t", warehouse) == 2
    source.execute("alter type mood add value 'mad'")
    assert sync(table).changes == ()


#: A key of every type of which equal values have one text, as PostgreSQL has no unique index.
KEYS = {
    "char(5)": "'a'",
    "text": "'A '",
    "numeric(50,2)": "1.5",
    "timetz": "'12:00+01'",
    "inet": "'10.0.0.1'",
    "bit(3)": "'101'",
    "bytea": r"'\xff'",
    "mood": "'ok'",
    "int[]": "'{1,NULL}'",
    "int4range": "'[1,5]'",
    "ltree": "'a.b'",
    "pair": "'(1,x)'",
}


@ON_BOTH
def test_rows_are_found_again_by_a_key_that_has_one_text(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create extension ltree; create type mood as enum ('ok')")
    source.execute("create type pair as (a int, b text)")
    defined = ", ".join(f"k{number} {name} not null" for number, name in enumerate(KEYS))
    source.execute(f"create table t ({defined}, note text, at timestamptz default now())".encode())
    values = ", ".join(KEYS.values())
    source.execute(f"insert into t values ({values}, 'old')".encode())
    names = [f"k{number}" for number in range(len(KEYS))]
    table = {"name": "t", "mode": "incremental", "cursor": "at", "key": names}
    sync(table)
    source.execute("update t set note = 'new', at = clock_timestamp()")
    sync(table)
    assert warehouse("select note from raw.t") == [("new",)]


@pytest.mark.parametrize(
    ("type_", "was", "now"),
    [
        ("numeric", "1.0", "1.00"),
        ("interval", "1 day", "24:00"),
        ("citext", "a", "A"),
        ("float8", "0", "-0"),
        ("jsonb", "1.0", "1"),
        ("numrange", "[1,2]", "[1.0,2]"),
        ("numeric[]", "{1}", "{1.0}"),
    ],
)
def test_a_key_that_was_rewritten_as_an_equal_one_would_be_doubled_and_is_refused(
    type_: str, was: str, now: str, source: psycopg.Connection, sync: Sync
) -> None:
    source.execute("create extension citext")
    source.execute(f"create table t (id {type_} primary key, at timestamptz)".encode())
    source.execute("insert into t values (%s, now())", [was])
    assert source.execute(f"select true from t where id = %s::{type_}".encode(), [now]).fetchone()
    with pytest.raises(ConfigError, match=r"Its key has id, .*: a row would be doubled\. Choose"):
        sync({"name": "t", "mode": "incremental", "cursor": "at"})
    sync({"name": "t"})


def test_a_key_by_a_collation_that_takes_texts_for_equal_is_refused(
    source: psycopg.Connection, sync: Sync
) -> None:
    # The embedded server has no ICU, whose collations alone can be so.
    source.execute("create collation loose (locale = 'C')")
    source.execute(
        "update pg_collation set collisdeterministic = false where collname = 'loose';"
        " create domain name_ as text collate loose;"
        " create table t (id name_ primary key, at timestamptz)"
    )
    with pytest.raises(ConfigError, match=r"Its key has id, .* collation that is not determin"):
        sync({"name": "t", "mode": "incremental", "cursor": "at"})
