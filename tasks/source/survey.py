"""What a database's tables are before anybody configured them: catalog, statistics and a sample.

Read-only and gentle: a statement ends after `STATEMENT_TIMEOUT`, waits a second for a lock, and of
a table it reads a few hundred pages, however large the table is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from tasks.errors import DaybreakError, TransientError
from tasks.source.catalog import Relation, introspect
from tasks.source.connection import source_errors
from tasks.source.triggers import TRIGGERS, Trigger

Measures = Callable[[Relation], dict[str, sql.Composable]]
STATEMENT_TIMEOUT, LOCK_TIMEOUT = "10s", "1s"
#: Pages of 8 KB read of a table: of one of 160 MB that is a hundredth.
SAMPLE_PAGES = 200
#: Rows read of a view or a foreign table, of which no pages can be chosen.
SAMPLE_ROWS = 10_000
KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

# A partition or child is copied with its parent. Statistics are those of all that belongs to it.
RELATIONS = """
with recursive tree(root, oid) as (
    select c.oid, c.oid from pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from pg_inherits i where i.inhrelid = c.oid)
    union
    select root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
), held as (
    select root, sum(greatest(c.reltuples, 0))::bigint as rows,
           coalesce(sum(s.n_tup_upd + s.n_tup_del), 0)::bigint as changed,
           coalesce(sum(s.n_tup_ins), 0)::bigint as inserted
    from tree join pg_class c on c.oid = tree.oid and c.relkind <> 'p'
    left join pg_stat_all_tables s on s.relid = c.oid
    group by root
)
select n.nspname, c.relname, c.relkind::text, held.rows, held.inserted, held.changed
from held join pg_class c on c.oid = held.root join pg_namespace n on n.oid = c.relnamespace
where n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%%' and c.relpersistence <> 't'
  and (%(schemas)s::text[] is null or n.nspname = any (%(schemas)s))
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass
                  and d.objid = c.oid and d.deptype = 'e')
order by n.nspname, c.relname
"""

DEFAULTS = """
select a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
"""

# Values that are stored out of line included.
SIZE = "select coalesce(sum(pg_table_size(oid)), 0)::bigint from unnest(%s::oid[]) oid"

SERVER = """
select current_database(), current_setting('server_version'), pg_is_in_recovery(),
       case when pg_is_in_recovery() then now() - pg_last_xact_replay_timestamp() end,
       current_setting('log_timezone'), pg_has_role('pg_read_all_stats', 'usage'), current_user
"""


@dataclass(frozen=True)
class Server:
    """The database as a whole; `zone` is that of its log, the best guess of its clock's."""

    database: str
    version: str
    standby: bool
    replica_lag: timedelta | None
    zone: str
    sees_all: bool
    role: str


@dataclass(frozen=True)
class Listed:
    """One relation as the catalog lists it; rows are the server's own estimate."""

    schema: str
    name: str
    kind: str
    rows: int
    inserted: int
    changed: int


@dataclass(frozen=True)
class Written:
    """Who writes a column: the trigger that moves it, and its default as an expression."""

    trigger: str
    default: str


@dataclass(frozen=True)
class Surveyed:
    """A relation with what was found out about it.

    `bytes` are those of all that its rows come from, `share` the part of them that is sampled.
    Where it can't be read, `refused` says why and `remedy` what to do; where only its sample can't,
    `unsampled` says why.
    """

    listed: Listed
    relation: Relation | None = None
    written: dict[str, Written] | None = None
    bytes: int = 0
    share: float = 1
    sample: dict[str, Any] | None = None
    refused: str | None = None
    remedy: str = ""
    unsampled: str | None = None


def be_gentle(session: psycopg.Connection, whole: bool) -> None:
    """Keeps the session from writing, from waiting for locks and, but for whole tables, from long
    statements.
    """
    with source_errors():
        session.execute(
            "select set_config('statement_timeout', %s, false),"
            " set_config('lock_timeout', %s, false),"
            " set_config('default_transaction_read_only', 'on', false)",
            ["0" if whole else STATEMENT_TIMEOUT, LOCK_TIMEOUT],
        )


def server(session: psycopg.Connection) -> Server:
    with source_errors():
        row = session.execute(SERVER).fetchone()
    assert row is not None
    return Server(*row)


def relations(session: psycopg.Connection, schemas: Sequence[str] | None) -> list[Listed]:
    """All that can be copied, or what of it is in some schemas."""
    with source_errors():
        found = session.execute(RELATIONS, {"schemas": list(schemas) if schemas else None})
        return [
            Listed(schema, name, KINDS[kind], *numbers) for schema, name, kind, *numbers in found
        ]


def survey(
    session: psycopg.Connection, listed: Listed, measures: Measures, whole: bool
) -> Surveyed:
    """Finds out what can be found out about one relation; what can't is said in the result.

    Args:
        measures: What to compute over the sample of a relation, by name.
        whole: Read all rows instead of a sample.

    Raises:
        TransientError: When the session is lost.
    """
    try:
        found = _known(session, listed, whole)
    except DaybreakError as error:
        if session.closed:
            raise
        return Surveyed(listed, refused=error.message, remedy=error.remedy)
    assert found.relation is not None
    if listed.kind == "view" and found.share < 1:
        return replace(found, unsampled="what it reads is large; --whole reads it")
    chosen = measures(found.relation)
    query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(chosen.values()), _rows(found))
    try:
        with source_errors(f"{listed.schema}.{listed.name}"):
            row = session.execute(query).fetchone()
    except DaybreakError as error:
        if session.closed:
            raise
        if isinstance(error, TransientError):  # too slow, say: the catalog is enough to go on
            return replace(found, unsampled=error.message)
        return replace(found, refused=error.message, remedy=error.remedy)
    return replace(found, sample=dict(zip(chosen, row or (), strict=True)))


def _known(session: psycopg.Connection, listed: Listed, whole: bool) -> Surveyed:
    """What the catalog knows of a relation."""
    relation = introspect(session, listed.schema, listed.name)
    files = [oid for oid, _ in relation.files]
    with source_errors(f"{listed.schema}.{listed.name}"):
        defaults = session.execute(DEFAULTS, (relation.oid,)).fetchall()
        triggers = [Trigger(*row) for row in session.execute(TRIGGERS, (relation.oid,))]
        [held] = session.execute(SIZE, (files,)).fetchone() or (0,)
    most = SAMPLE_PAGES * relation.block_size
    return Surveyed(
        listed,
        relation,
        written={
            name: Written(next((each.name for each in triggers if each.moves(name)), ""), default)
            for name, default in defaults
        },
        bytes=held,
        share=1 if whole or held <= most else most / held,
    )


def _rows(found: Surveyed) -> sql.Composable:
    """The relation, or the share of it that is its sample."""
    name = sql.Identifier(found.listed.schema, found.listed.name)
    if found.listed.kind in ("view", "foreign table"):
        some = sql.SQL("(select * from {} limit {}) sample")
        return some.format(name, sql.Literal(SAMPLE_ROWS))
    if found.share == 1:
        return name
    percent = sql.Literal(100 * found.share)
    return sql.SQL("{} tablesample system ({}) repeatable (1)").format(name, percent)
