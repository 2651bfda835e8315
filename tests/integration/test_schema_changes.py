"""Sources that change their shape between two nights: the copy follows, or the table stops."""

from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, PermanentError
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Sync
from tests.warehouses import Copy, SnowflakeCopy, opened

GROWN = {"name": "t", "mode": "incremental", "cursor": "at"}
WHOLE = {"name": "t"}
# Only the newest row lies within the lag, and is read again.
MAKE = """
create table t (id int primary key, note text, code text, short varchar(5),
                price numeric(6, 2), size real,
                at timestamptz not null default clock_timestamp());
insert into t
select g, 'note ' || g, 'code ' || g, g, g * 1.25, g / 3.0, now() - g * interval '1 day'
from generate_series(1, 5) g;
"""
RECREATE = """
create table n (at timestamptz not null default clock_timestamp(), more int, size float8,
                note text, id int primary key);
insert into n select at, id, size, note, id from t;
drop table t;
alter table n rename to t;
"""
LATER = "insert into t (id) values (6)"
ALL, NEWER = 6, 2


@pytest.fixture
def copied(source: psycopg.Connection, sync: Sync) -> psycopg.Connection:
    """A session in the database of table t, which has been copied once."""
    source.execute(MAKE)
    sync(GROWN)
    return source


@SNOWFLAKE_IN_LONG
@pytest.mark.parametrize(
    ("change", "read", "told"),
    [
        ("add more int; update t set more = 1 where id = 1", NEWER, ["more is new"]),
        ("add more int default 7", ALL, ["more is new, and older rows may hold"]),
        (
            "add more int default 7; alter table t alter more drop default",
            ALL,
            ["older rows may hold"],
        ),
        ("add more int generated always as (id * 2) stored", ALL, ["older rows may hold"]),
        ("add more int generated always as identity", ALL, ["older rows may hold"]),
        ("add more seven", ALL, ["older rows may hold"]),
        ("rename note to remark", NEWER, ["note is called remark now"]),
        (
            "alter id type bigint, alter short type varchar(9), alter price type numeric(12, 2),"
            " alter size type float8; insert into t values (1e10, '', '', '123456789', 1e9, 1e-99)",
            NEWER + 1,
            ["id was integer and is bigint now", "short was", "price was", "size was"],
        ),
        ("drop note, add note text", ALL, ["the name note is in use again"]),
        (
            "drop code; alter table t rename note to code",
            ALL,
            ["the name code is in use again", "note was dropped"],
        ),
        (
            "rename note to x; alter table t rename code to note; alter table t rename x to code",
            ALL,
            ["the name code is in use again"],
        ),
    ],
)
def test_a_copy_follows_its_source(
    change: str,
    read: int,
    told: list[str],
    copied: psycopg.Connection,
    source_url: str,
    sync: Sync,
    warehouse: Copy,
) -> None:
    copied.execute("create domain seven as int default 7")
    copied.execute(f"alter table t {change}; {LATER}".encode())
    outcome = sync(GROWN)
    assert outcome.rows_read == read
    assert assert_copied(source_url, "t", warehouse) >= ALL
    for words, line in zip(told, outcome.changes, strict=True):
        assert words in line
    assert sync(GROWN).changes == ()
    assert_copied(source_url, "t", warehouse)


@ON_BOTH
def test_a_renamed_key_or_cursor_is_followed_once_the_configuration_names_it(
    copied: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    copied.execute("alter table t rename id to number; alter table t rename at to changed_at")
    with pytest.raises(ConfigError, match="cursor names at, which is not a copied column"):
        sync(GROWN)
    outcome = sync({**GROWN, "cursor": "changed_at"})
    assert outcome.rows_read == ALL - 1
    assert_copied(source_url, "t", warehouse)


@ON_BOTH
@pytest.mark.parametrize("table", [GROWN, WHOLE], ids=["incremental", "full refresh"])
def test_a_dropped_column_stays_and_is_null_from_then_on(
    table: dict[str, Any],
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    warehouse: Copy,
) -> None:
    source.execute(MAKE)
    sync(table)
    source.execute(f"alter table t drop note; {LATER}".encode())
    dropped = "column note was dropped; it stays in the copy, NULL in rows read from now on"
    assert sync(table).changes == (dropped,)
    unread = table == GROWN
    for _ in range(2):
        assert_copied(source_url, "t", warehouse)
        kept = warehouse("select id, note from raw.t order by id")
        assert kept[0] == (1, None)
        assert kept[1:] == [
            (id_, f"note {id_}" if unread and id_ < ALL else None) for id_ in range(2, 7)
        ]
        assert sync(table).changes == ()


@SNOWFLAKE_IN_LONG
def test_a_name_that_comes_back_is_read_in_full(
    copied: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    copied.execute("alter table t drop note")
    sync(GROWN)
    copied.execute("alter table t add note text")
    assert sync(GROWN).rows_read == ALL - 1
    assert_copied(source_url, "t", warehouse)


@SNOWFLAKE_IN_LONG
def test_a_table_made_anew_is_matched_by_name_and_read_in_full(
    copied: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    copied.execute(f"{RECREATE} {LATER}".encode())
    outcome = sync(GROWN)
    assert outcome.rows_read == ALL
    assert "another table under its name (recreated or restored)" in outcome.changes[0]
    assert_copied(source_url, "t", warehouse)
    assert warehouse("select distinct code, price from raw.t") == [(None, None)]
    assert sync(GROWN).rows_read == 1


@SNOWFLAKE_IN_LONG
def test_a_renamed_table_is_not_found_and_is_copied_under_its_new_name(
    copied: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    copied.execute("alter table t rename to t_new")
    with pytest.raises(ConfigError, match=r"no table public\.t\..*public\.t_new"):
        sync(GROWN)
    assert sync({**GROWN, "name": "t_new"}).rows_read == ALL - 1
    assert_copied(source_url, "t_new", warehouse)
    assert warehouse("select count(*) from raw.t") == [(ALL - 1,)]


@SNOWFLAKE_IN_LONG
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("alter price type numeric(5, 2)", r"price was numeric\(6,2\) and is numeric\(5,2\) now"),
        ("alter note type int using id", "note was text and is integer now"),
        ("drop note, add note boolean default true", "note was text and is boolean now"),
        ("drop constraint t_pkey, add primary key (id, at)", r"key was \(id\) and is \(id, at\)"),
    ],
)
def test_a_change_that_loses_stops_the_table_until_it_is_copied_anew(
    change: str,
    told: str,
    copied: psycopg.Connection,
    source_url: str,
    sync: Sync,
    warehouse: Copy,
) -> None:
    before = warehouse("select id, note, price from raw.t order by id")
    copied.execute(f"alter table t {change}; {LATER}".encode())
    with pytest.raises(PermanentError, match=f"^t: .*without loss: .*{told}.* --full-refresh"):
        sync(GROWN)
    assert warehouse("select id, note, price from raw.t order by id") == before
    if isinstance(warehouse, SnowflakeCopy) and "key" not in change:
        with pytest.raises(PermanentError) as refused:
            sync(GROWN, full_refresh=True)
        warehouse(refused.value.remedy.split(";")[0])
    sync(GROWN, full_refresh=True)
    assert_copied(source_url, "t", warehouse)
    assert sync(GROWN).changes == ()


@SNOWFLAKE_IN_LONG
def test_any_change_stops_a_frozen_table(
    copied: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    copied.execute("alter table t add more int")
    with pytest.raises(PermanentError, match="schema_change is freeze: column more is new"):
        sync({**GROWN, "schema_change": "freeze"})
    assert warehouse("select count(*) from raw.t") == [(ALL - 1,)]


@ON_BOTH
def test_a_copy_whose_last_shape_is_unknown_is_read_in_full(
    source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(GROWN)
    with opened(warehouse) as session:
        session.query("update raw.sync_state set fingerprint = '1f3a:id,note'")
    outcome = sync(GROWN)
    assert outcome.rows_read == ALL - 1
    assert outcome.changes == ("its last shape is unknown, so it is read in full",)
    assert_copied(source_url, "t", warehouse)
