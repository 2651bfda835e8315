"""Any table that PostgreSQL can hold: every row arrives once, or it is said why not."""

from typing import Any

import psycopg
import pytest

from tasks.attempt import Attempt
from tasks.errors import ConfigError, PermanentError, StaleSnapshot
from tests.conftest import ON_BOTH, Sync
from tests.warehouses import Copy

INCREMENTAL = {"mode": "incremental", "cursor": "at", "lag": "0"}


def rows(source: psycopg.Connection, table: str = "t") -> list[tuple[Any, ...]]:
    """The id and note of every row of a source table."""
    return sorted(source.execute(f"select id, note from {table}".encode()), key=str)


def copies(warehouse: Copy) -> list[tuple[Any, ...]]:
    """The id and note of every row of the copy of t."""
    return sorted(warehouse("select id, note from raw.t"), key=str)


@ON_BOTH
def test_composite_keys_with_zero_empty_and_negative_values_stay_apart(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(
        "create table t (id int, name text, note text, at timestamptz default now(),"
        " primary key (id, name))"
    )
    keys = [(0, ""), (0, "0"), (-1, ""), (-1, "a'b\"c"), (2147483647, " "), (-2147483648, "\\")]
    for key in keys:
        source.execute("insert into t values (%s, %s, 'old')", key)
    sync({"name": "t", **INCREMENTAL})
    for key in keys[::2]:
        source.execute(
            "update t set note = 'new', at = clock_timestamp() where (id, name) = (%s, %s)", key
        )
    sync({"name": "t", **INCREMENTAL})
    everything = "select id, name, note from {}t order by id, name, note"
    assert (
        warehouse(everything.format("raw."))
        == source.execute(everything.format("").encode()).fetchall()
    )


@pytest.mark.parametrize("mode", [INCREMENTAL, {"mode": "full_refresh"}], ids=lambda m: m["mode"])
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("(1, 'a'), (1, 'a'), (1, 'a')", r"1, such as \(1,a\)\."),
        ("(null, 'a')", r"1, such as \(,a\)\."),
        ("(1, '')", None),
        ("(null, null), (null, null), (5, null)", r"2, such as \(,\), \(5,\)\."),
        (
            ", ".join(f"({number}, 'x'), ({number}, 'x')" for number in range(7)),
            r"7, such as \(0,x\), \(1,x\), \(2,x\), \(3,x\), \(4,x\)\.",
        ),
    ],
)
def test_a_key_that_no_index_holds_is_checked_on_all_rows(
    mode: dict[str, Any],
    bad: str,
    told: str | None,
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
) -> None:
    source.execute("create table t (id int, note text, at timestamptz default now())")
    source.execute(f"insert into t values (1, 'b'), (2, 'a'); insert into t values {bad}".encode())
    table = {"name": "t", "key": ["id", "note"], **mode}
    if told is None:
        sync(table)
        assert copies(warehouse) == rows(source)
        return
    with pytest.raises(PermanentError, match=rf"^t: Its key .*: {told}.*CREATE UNIQUE INDEX"):
        sync(table)


def test_a_table_without_a_key_keeps_rows_that_are_alike(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create table t (id int, note text)")
    source.execute("insert into t values (1, 'a'), (1, 'a'), (null, null), (null, null)")
    sync({"name": "t"})
    assert warehouse("select count(*), count(id) from raw.t") == [(4, 2)]


PARTITIONED = """
create table t (id int primary key, note text, at timestamptz default now())
partition by range (id);
create table t_low partition of t for values from (0) to (10) partition by range (id);
create table t_low_2 partition of t_low for values from (2) to (3);
create table t_low_rest partition of t_low default;
create table t_rest partition of t default;
insert into t select g, 'n' || g from generate_series(-5, 20) g;
"""
INHERITED = """
create table t (id int, note text, at timestamptz default now());
create table left_child (extra int) inherits (t);
create table right_child (note text, id int) inherits (t);
create table grandchild () inherits (left_child, right_child);
insert into t values (0, 'parent'); insert into left_child (id, note) values (1, 'left');
insert into right_child (id, note) values (2, 'right');
insert into grandchild (id, note) values (3, 'grand');
"""


@pytest.mark.parametrize("make", [PARTITIONED, INHERITED], ids=["partitioned", "inherited"])
@pytest.mark.parametrize("index", [False, True])
def test_a_parents_rows_and_its_childrens_arrive_once(
    make: str, index: bool, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(make.encode())
    if index:
        source.execute("create index on t (at)")
    table = {"name": "t", "key": ["id"], **INCREMENTAL}
    sync(table)
    assert copies(warehouse) == rows(source)
    source.execute("update t set note = note || '!', at = clock_timestamp() where id in (2, 3)")
    source.execute("insert into t values (100, 'new', clock_timestamp())")
    sync(table)
    assert copies(warehouse) == rows(source)


def test_a_key_of_a_parent_is_not_taken_for_its_childrens(
    source: psycopg.Connection, sync: Sync
) -> None:
    source.execute("create table t (id int primary key, note text, at timestamptz default now())")
    source.execute("create table child () inherits (t)")
    source.execute("insert into t values (1, 'a'); insert into child values (1, 'b')")
    sync({"name": "t"})
    with pytest.raises(PermanentError, match=r"Its key \(id\) .*: 1, such as \(1\)\."):
        sync({"name": "t", "key": ["id"], **INCREMENTAL})


VIEW = """
create table base (id int primary key, note text, at timestamptz default now());
insert into base select g, 'n' || g, now() - g * interval '1h' from generate_series(1, 1000) g;
create {} t as select id, note, at from base where id > 10;
"""


@pytest.mark.parametrize("kind", ["view", "materialized view"])
def test_a_view_is_copied_in_full_and_by_cursor(
    kind: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(VIEW.format(kind).encode())
    table = {"name": "t", "key": ["id"], **INCREMENTAL}
    sync(table)
    assert copies(warehouse) == rows(source)
    source.execute("update base set note = 'new', at = clock_timestamp() where id % 100 = 0")
    if kind != "view":
        source.execute("refresh materialized view t")
    assert sync(table).rows_read < 100
    assert copies(warehouse) == rows(source)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (VIEW.format("view"), "truncate base"),
        (VIEW.format("materialized view"), "refresh materialized view t"),
        (INHERITED, "truncate grandchild"),
        (PARTITIONED, "create table t_new partition of t for values from (90) to (99)"),
    ],
    ids=["a view's table", "a materialised view", "an heir", "a new partition"],
)
def test_what_is_rewritten_below_a_relation_after_the_snapshot_is_noticed(
    make: str,
    change: str,
    source: psycopg.Connection,
    sync: Sync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(make.encode())

    def changed(**details: Any) -> Attempt:
        source.execute(change.encode())
        return Attempt(**details)

    monkeypatch.setattr("tests.bench.transfer.Attempt", changed)
    with pytest.raises(StaleSnapshot):
        sync({"name": "t"})


def test_generated_and_identity_columns_are_copied_as_they_are_read(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(
        "create table t (id int generated always as identity (start with 7), price int,"
        " doubled int generated always as (price * 2) stored,"
        " shown text generated always as ('costs ' || price) virtual)"
    )
    source.execute("insert into t (price) values (1), (2), (null)")
    sync({"name": "t"})
    assert warehouse("select * exclude (_synced_at, _run_id) from raw.t order by id") == [
        (7, 1, 2, "costs 1"),
        (8, 2, 4, "costs 2"),
        (9, None, None, None),
    ]


def test_two_schemas_with_a_table_of_one_name_are_told_apart(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create table t (id int, note text); insert into t values (1, 'public')")
    source.execute('create schema "My Shop"')
    source.execute("""create table "My Shop".t (id int, note text)""")
    source.execute("""insert into "My Shop".t values (2, 'shop')""")
    sync({"name": "My Shop.t"})
    assert copies(warehouse) == [(2, "shop")]


@pytest.fixture
def reader_url(source: psycopg.Connection, source_url: str) -> str:
    """A URL whose role is an ordinary one that may read every table of the schema public."""
    source.execute('drop role if exists "Reader"; create role "Reader" login')
    source.execute('alter default privileges grant select on tables to "Reader"')
    return source_url.replace("postgres@", "Reader@")


FILTERED = """
create table {name} (id int, note text);
insert into {name} values (1, 'yours'), (2, 'mine');
alter table {name} enable row level security;
create policy p on {name} using (note = 'yours');
"""


def test_rows_hidden_by_row_level_security_are_an_error_and_not_fewer_rows(
    source: psycopg.Connection, reader_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(FILTERED.format(name="t").encode())
    with pytest.raises(ConfigError, match=r'^t: .*public.t from "Reader". ALTER ROLE "Reader"'):
        sync({"name": "t"}, url=reader_url)
    source.execute('alter role "Reader" bypassrls')
    sync({"name": "t"}, url=reader_url)
    assert copies(warehouse) == rows(source)


def test_rows_hidden_from_a_view_are_an_error_and_not_fewer_rows(
    source: psycopg.Connection, reader_url: str, sync: Sync
) -> None:
    source.execute(FILTERED.format(name="base").encode())
    source.execute("create view t with (security_invoker) as select * from base")
    with pytest.raises(PermanentError, match=r"^t: .*row-level security.*BYPASSRLS"):
        sync({"name": "t"}, url=reader_url)


def test_a_missing_grant_is_said(source: psycopg.Connection, reader_url: str, sync: Sync) -> None:
    source.execute('create table t (id int, note text); revoke all on t from "Reader"')
    with pytest.raises(PermanentError, match=r"^t: .*denied for table t.*GRANT SELECT ON"):
        sync({"name": "t"}, url=reader_url)


FOREIGN = """
create extension postgres_fdw;
create server here foreign data wrapper postgres_fdw options (dbname '{database}', host '{host}');
create user mapping for current_user server here options (user 'postgres');
create table base (id int, note text);
insert into base values (1, 'a'), (null, 'b');
"""
DIRECT = "create foreign table t (id int, note text) server here options (table_name 'base')"
A_PARTITION = """
create table t (id int, note text) partition by list (note);
create table t_c partition of t for values in ('c'); insert into t values (3, 'c');
create foreign table t_rest partition of t default server here options (table_name 'base')"""
AN_HEIR_WITH_HEIRS = """
create table t (id int, note text); insert into t values (3, 'c');
create foreign table child () inherits (t) server here options (table_name 'base');
create table grandchild () inherits (child); insert into grandchild values (4, 'd')"""


@pytest.mark.parametrize(
    "make", [DIRECT, A_PARTITION, AN_HEIR_WITH_HEIRS], ids=["direct", "partition", "heir"]
)
def test_a_foreign_table_is_copied_wherever_it_stands(
    make: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    info = source.info
    source.execute(FOREIGN.format(database=info.dbname, host=info.host).encode())
    source.execute(make.encode())
    sync({"name": "t"})
    assert copies(warehouse) == rows(source)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (
            VIEW.format("view"),
            "create or replace view t as select id, note, at, id * 2 as more from base",
        ),
        (
            INHERITED,
            "alter table only grandchild add more int default 7; alter table t add more int",
        ),
        (
            PARTITIONED,
            "alter table t add more int default 7; alter table t alter more drop default",
        ),
    ],
    ids=["a view", "an heir", "a partition"],
)
def test_a_new_column_that_rows_below_a_relation_hold_a_value_in_is_read_in_full(
    make: str, change: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(make.encode())
    table = {"name": "t", "key": ["id"], **INCREMENTAL}
    sync(table)
    source.execute(change.encode())
    sync(table)
    everything = "select id, more from {}t"
    assert sorted(warehouse(everything.format("raw."))) == sorted(
        source.execute(everything.format("").encode())
    )


def test_a_key_that_is_not_null_for_new_rows_alone_is_no_key(
    source: psycopg.Connection, sync: Sync
) -> None:
    """PostgreSQL 18 takes NOT NULL for a constraint that need not hold of older rows."""
    source.execute("create table t (code int unique, at timestamptz default now())")
    source.execute("insert into t values (null), (null), (1)")
    source.execute("alter table t add constraint given not null code not valid")
    with pytest.raises(PermanentError, match=r"key \(code\) has doubled values or NULLs"):
        sync({"name": "t", "key": ["code"], "mode": "incremental", "cursor": "at"})
