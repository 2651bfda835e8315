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

# A trigger names the column in its function or, as moddatetime's, in its arguments.
WRITTEN = """
select a.attname, coalesce(t.tgname, ''), coalesce(pg_get_expr(d.adbin, d.adrelid), '')
from pg_attribute a
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join lateral (
    select t.tgname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = a.attrelid and not t.tgisinternal and t.tgenabled <> 'D'
      and t.tgtype & 16 <> 0
      and (p.prosrc ~ ('\\m' || a.attname || '\\M')
           or encode(t.tgargs, 'escape') ~ ('\\m' || a.attname || '\\M'))
    limit 1
) t on true
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
"""

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
    """Who writes a column: the trigger that names it, and its default as an expression."""

    trigger: str
    default: str


@dataclass(frozen=True)
class Surveyed:
    """A relation with what was found out about it; bytes are those of its heap.

    Where it can't be read, `refused` says why and `remedy` what to do; where only its sample can't,
    `unsampled` says why.
    """

    listed: Listed
    relation: Relation | None = None
    written: dict[str, Written] | None = None
    bytes: int = 0
    sample: dict[str, Any] | None = None
    refused: str | None = None
    remedy: str = ""
    unsampled: str | None = None


def be_gentle(session: psycopg.Connection) -> None:
    """Keeps the session from writing, from long statements and from waiting for locks."""
    with source_errors():
        session.execute(
            "select set_config('statement_timeout', %s, false),"
            " set_config('lock_timeout', %s, false),"
            " set_config('default_transaction_read_only', 'on', false)",
            [STATEMENT_TIMEOUT, LOCK_TIMEOUT],
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
    """
    label = f"{listed.schema}.{listed.name}"
    try:
        relation = introspect(session, listed.schema, listed.name)
        with source_errors(label):
            rows = session.execute(WRITTEN, (relation.oid,)).fetchall()
    except DaybreakError as error:
        return Surveyed(listed, refused=error.message, remedy=error.remedy)
    found = Surveyed(
        listed,
        relation,
        written={name: Written(trigger, default) for name, trigger, default in rows},
        bytes=relation.block_size * sum(leaf.pages or 0 for leaf in relation.leaves),
    )
    chosen = measures(relation)
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(chosen.values()), _rows(relation, listed.kind, whole)
    )
    try:
        with source_errors(label):
            row = session.execute(query).fetchone()
    except TransientError as error:  # locked, or too slow: the catalog says enough to go on
        return replace(found, unsampled=error.message)
    except DaybreakError as error:
        return replace(found, refused=error.message, remedy=error.remedy)
    return replace(found, sample=dict(zip(chosen, row or (), strict=True)))


def _rows(relation: Relation, kind: str, whole: bool) -> sql.Composable:
    """The relation, or a sample of it."""
    name = sql.Identifier(relation.schema, relation.name)
    pages = sum(leaf.pages or 0 for leaf in relation.leaves)
    if whole:
        return name
    if kind in ("view", "foreign table"):
        some = sql.SQL("(select * from {} limit {}) sample")
        return some.format(name, sql.Literal(SAMPLE_ROWS))
    if pages <= SAMPLE_PAGES:
        return name
    share = sql.Literal(100 * SAMPLE_PAGES / pages)
    return sql.SQL("{} tablesample system ({}) repeatable (1)").format(name, share)
