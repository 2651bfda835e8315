"""A schema of many tables, each with one of the traps that an analysis has to know."""

import psycopg

SCHEMA = "many"
#: Tables made in one transaction, which holds a lock on each.
AT_ONCE = 200
SETS_STAMP = """
create function many.stamp() returns trigger language plpgsql as
$$ begin new.updated_at := clock_timestamp(); return new; end $$
"""


def _one(odd: str, else_: str) -> str:
    """One row of the odd value among others."""
    return f"g, case when g = 7 then {odd} else {else_} end"


KEY = "id int primary key"
CHANGED = f"{KEY}, updated_at timestamptz"
#: The columns of a table and the values of its rows, of g; what else is done to it, below.
TRAPS = {
    "plain": (f"{KEY}, note text", "g, 'note ' || g"),
    "trigger": (CHANGED, "g, now() - g * interval '1 min'"),
    "naive": (f"{KEY}, last_modified timestamp", "g, localtimestamp"),
    "nulls": (CHANGED, "g, case when g % 3 = 0 then now() end"),
    "ties": (CHANGED, "g, timestamptz '2026-01-01'"),
    "future": (CHANGED, "g, now() + interval '1 year'"),
    "nan": (f"{KEY}, amount numeric(10,2)", _one("numeric 'NaN'", "g")),
    "infinite": (f"{KEY}, at date", _one("date 'infinity'", "current_date")),
    "bc": (f"{KEY}, at timestamptz", _one("timestamptz '0044-03-15 BC'", "now()")),
    "midnight": (f"{KEY}, at time", _one("time '24:00'", "localtime")),
    "digits": (f"{KEY}, amount numeric", "g, g / 7.0"),
    "json": (f"{KEY}, body jsonb", "g, to_jsonb(repeat('9', 40)::numeric)"),
    "keyless": ("a int, b text", "g, 'b'"),
    "odd key": ("id numeric primary key, updated_at timestamptz", "g, now()"),
    "unique": ("id int not null unique, updated_at timestamptz", "g, now()"),
    "arrays": (f"{KEY}, tags text[], span int4range", "g, array['a'], int4range(g, g + 9)"),
    "mixed Case": ('"Id" int primary key, "Updated At" timestamptz', "g, now()"),
    "partitioned": ("id int, day date", "g, date '2026-01-01' + g % 60"),
    "generated": ("id int generated always as identity primary key, n int", "g"),
    "empty": (KEY, ""),
}


def make_many(server: psycopg.Connection, tables: int, rows: int = 100) -> None:
    """Makes the schema anew with this many tables; the traps take turns."""
    server.execute("drop schema if exists many cascade")
    server.execute("create schema many")
    server.execute(SETS_STAMP)
    names = list(TRAPS)
    for first in range(0, tables, AT_ONCE):
        with server.transaction():
            for number in range(first, min(first + AT_ONCE, tables)):
                _make(server, names[number % len(names)], number, rows)


def _make(server: psycopg.Connection, trap: str, number: int, rows: int) -> None:
    columns, values = TRAPS[trap]
    table = f'many."{trap} {number}"'
    partitioned = " partition by range (day)" if trap == "partitioned" else ""
    server.execute(f"create table {table} ({columns}){partitioned}".encode())
    if partitioned:
        leaf = f'many."{trap} {number} all"'
        server.execute(f"create table {leaf} partition of {table} default".encode())
    if trap == "trigger":
        server.execute(
            f"create trigger stamp before update on {table}"
            " for each row execute function many.stamp()".encode()
        )
    if values:
        into = " (n)" if trap == "generated" else ""
        made = f"select {values} from generate_series(1, {rows}) g"
        server.execute(f"insert into {table}{into} {made}".encode())
