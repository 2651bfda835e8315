"""What the source's tables are, read from pg_catalog and never inferred from data."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import psycopg

from tasks.errors import ConfigError
from tasks.source.connection import source_errors


@dataclass(frozen=True)
class Column:
    """One column, or a part of what one holds.

    `type` is the base type's name below any domain, with its extension or schema in front unless it
    is PostgreSQL's own; `modifier` is its typmod and `category` pg_type.typcategory ('A' array, 'E'
    enum, 'C' composite, 'R' range, ...). `filled` tells of a column that is new whether rows that
    are older may hold a value in it; `deterministic` is false where a collation takes texts of
    other bytes for equal. `parts` are an array's element, a composite's attributes, a range's bound
    and an enum's labels.
    """

    name: str
    number: int
    declared: str
    type: str
    modifier: int
    category: str
    not_null: bool
    filled: bool
    deterministic: bool = True
    parts: tuple["Column", ...] = ()


@dataclass(frozen=True)
class Leaf:
    """A relation that holds rows itself; `pages` is None where it has no heap to slice.

    `rows` is the server's own estimate, negative where it has made none.
    """

    oid: int
    schema: str
    name: str
    pages: int | None
    rows: float = -1


@dataclass(frozen=True)
class Relation:
    """A table as it stood when it was introspected.

    `files` are the oid and file of all that its rows come from, a view's tables included. The keys
    are those that hold over all leaves; `range_columns` are those by which the server finds a range
    of rows without reading all: they lead an index or the partition key.
    """

    database: str
    schema: str
    name: str
    oid: int
    columns: tuple[Column, ...]
    leaves: tuple[Leaf, ...]
    files: tuple[tuple[int, int], ...]
    primary_key: tuple[str, ...]
    unique_keys: tuple[tuple[str, ...], ...]
    range_columns: tuple[str, ...]
    block_size: int = 8192

    @property
    def most_rows(self) -> int | None:
        """More rows than these its pages can't hold; None where it isn't all heap."""
        pages = [leaf.pages for leaf in self.leaves if leaf.pages is not None]
        return (
            sum(pages) * (self.block_size // ROW_BYTES) if len(pages) == len(self.leaves) else None
        )

    @property
    def estimated_rows(self) -> int | None:
        """What the server took its rows for when it last counted; None where it never did."""
        rows = [leaf.rows for leaf in self.leaves]
        return round(sum(rows)) if min(rows, default=-1) >= 0 else None

    def is_key(self, names: list[str]) -> bool:
        """Whether the source holds these columns unique and not null."""
        unique = any(set(columns) <= set(names) for columns in self.unique_keys)
        return unique and all(column.not_null for column in self.columns if column.name in names)

    @property
    def shape(self) -> str:
        """What survives a rewrite: the database's identity, oid, attnum, name and type."""
        columns = (f"{c.number}:{c.name}:{c.declared}" for c in self.columns)
        parts = [self.database, str(self.oid), *columns]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def storage(self) -> str:
        """`shape` with every file: equal before and after means no rewrite between."""
        parts = [self.shape, *(f"{oid}:{file}" for oid, file in self.files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


# A line pointer and a header, the least that a row takes up: MaxHeapTuplesPerPage in
# src/include/access/htup_details.h.
ROW_BYTES = 28

RELATION = """
select c.oid, c.relkind = 'p', current_setting('block_size')::int,
       (select system_identifier from pg_control_system()) || '/' || current_database()
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

TREE = """
with recursive tree(oid) as (
    select %s::oid
    union
    select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.oid
)
"""

# A constraint NOT NULL that is NOT VALID, as PostgreSQL 18 has it, says nothing of older rows.
# A domain's own modifier counts only where the one above it gives none. Older rows hold a value of
# a default (atthasmissing, as long as they were not rewritten, even when the default is gone), and
# those of a view or foreign table whatever it makes of them. `path` leads to a part from its column
# on, and the type that stands deepest below its domains is the one it has.
COLUMNS = f"""
{TREE}, typed as (
    select array[a.attnum::bigint] as path, a.attname::text as name, a.attnum::bigint as number,
           format_type(a.atttypid, a.atttypmod) as declared, a.atttypid as oid,
           a.atttypmod as modifier, a.attcollation as collated, a.attnotnull and not exists (
               select from pg_constraint where conrelid = a.attrelid and contype = 'n'
               and not convalidated and a.attnum = any(conkey)
           ) as not_null,
           c.relkind not in ('r', 'p') or exists (
               select from tree join pg_attribute held on held.attrelid = tree.oid
               where held.attname = a.attname
                 and (held.atthasmissing or held.atthasdef or held.attgenerated <> ''
                      or held.attidentity <> '')
           ) as filled, 0 as depth
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
    union all
    select below.* from typed join pg_type t on t.oid = typed.oid cross join lateral (
        select path, name, number, declared, t.typbasetype,
               case when modifier >= 0 then modifier else t.typtypmod end, collated, not_null,
               filled or t.typdefault is not null, depth + 1
        where t.typtype = 'd'
        union all
        select path || 1::bigint, 'element', 1, format_type(t.typelem, modifier), t.typelem,
               modifier, collated, false, false, 0
        where t.typcategory = 'A' and t.typtype = 'b'
        union all
        select path || a.attnum::bigint, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod),
               a.atttypid, a.atttypmod, a.attcollation, false, false, 0
        from pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all
        select path || 1::bigint, 'bound', 1, format_type(r.rngsubtype, -1), r.rngsubtype, -1,
               r.rngcollation, false, false, 0
        from pg_range r where t.oid in (r.rngtypid, r.rngmultitypid)
        union all
        select path || e.oid::bigint, e.enumlabel, e.oid::bigint, '', 0, -1, 0, false, false, 0
        from pg_enum e where e.enumtypid = t.oid
    ) below
)
select distinct on (path) path, name, number, declared,
       coalesce(coalesce(x.extname, nullif(n.nspname, 'pg_catalog')) || '.', '')
           || coalesce(t.typname, ''),
       modifier, coalesce(t.typcategory::text, ''), not_null, filled,
       coalesce(l.collisdeterministic, true)
from typed left join pg_type t on t.oid = typed.oid
left join pg_namespace n on n.oid = t.typnamespace
left join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
left join pg_extension x on x.oid = d.refobjid
left join pg_collation l on l.oid = typed.collated
order by path, depth desc
"""

LEAVES = f"""
{TREE}
select c.oid, n.nspname, c.relname,
       case when c.relkind = 'r'
            then pg_relation_size(c.oid) / current_setting('block_size')::int end,
       c.reltuples
from tree join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace
where c.relkind <> 'p' order by c.oid
"""
FILTERED = f"""
{TREE}
select quote_ident(current_user) from tree where row_security_active(tree.oid) limit 1
"""

FILES = """
with recursive tree(oid) as (
    select %s::oid
    union
    select below.oid from tree, lateral (
        select i.inhrelid from pg_inherits i where i.inhparent = tree.oid
        union all
        select d.refobjid
        from pg_class c join pg_rewrite r on r.ev_class = c.oid
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        where c.oid = tree.oid and c.relkind = 'v' and d.refclassid = 'pg_class'::regclass
    ) below(oid)
)
select c.oid, pg_relation_filenode(c.oid)
from tree join pg_class c on c.oid = tree.oid where c.relkind in ('r', 'm') order by c.oid
"""

INDEXES = """
select i.indisprimary, i.indisunique, am.amname = 'btree',
       array(select a.attname::text
             from unnest(i.indkey::smallint[]) with ordinality k(attnum, place)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
             where k.place <= i.indnkeyatts order by place)
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
where i.indrelid = %s and i.indisvalid and i.indpred is null and i.indexprs is null
order by i.indisprimary desc, i.indexrelid
"""


PARTITION_KEY = """
select a.attname from pg_partitioned_table p
join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
where p.partrelid = %s and p.partstrat in ('r', 'l')
"""


def introspect(connection: psycopg.Connection, schema: str, name: str) -> Relation:
    """Reads one relation's catalog entries.

    Raises:
        ConfigError: When the relation does not exist, with the names that come close, or when
            row-level security hides some of its rows.
    """
    with source_errors(f"{schema}.{name}"):
        found = connection.execute(RELATION, (schema, name)).fetchone()
        if found is None:
            raise _missing(connection, schema, name)
        oid, partitioned, block_size, database = found
        if filtered := connection.execute(FILTERED, (oid,)).fetchone():
            raise _filtered(schema, name, *filtered)
        columns = connection.execute(COLUMNS, (oid, oid)).fetchall()
        leaves = [Leaf(*row) for row in connection.execute(LEAVES, (oid,))]
        files = connection.execute(FILES, (oid,)).fetchall()
        indexes = connection.execute(INDEXES, (oid,)).fetchall()
        partition_key = connection.execute(PARTITION_KEY, (oid,)).fetchall()
    if len(leaves) > 1 and not partitioned:
        indexes = []  # an index of a parent knows nothing of the tables that inherit from it
    return Relation(
        database=database,
        schema=schema,
        name=name,
        oid=oid,
        columns=_columns(columns),
        leaves=tuple(leaves),
        files=tuple(files),
        primary_key=next((tuple(keys) for primary, _, _, keys in indexes if primary), ()),
        unique_keys=tuple(tuple(keys) for _, unique, _, keys in indexes if unique),
        range_columns=tuple(
            [keys[0] for _, _, btree, keys in indexes if btree] + [key for (key,) in partition_key]
        ),
        block_size=block_size,
    )


def _columns(rows: list[tuple[Any, ...]]) -> tuple[Column, ...]:
    """The columns of a relation, each with its parts below it."""
    below = defaultdict(list)
    for path, *details in rows:
        below[tuple(path[:-1])].append((tuple(path), details))

    def at(path: tuple[int, ...]) -> tuple[Column, ...]:
        return tuple(Column(*[*details, at(place)]) for place, details in below[path])

    return at(())


def _filtered(schema: str, name: str, role: str) -> ConfigError:
    return ConfigError(
        f"Row-level security hides rows of {schema}.{name} from {role}.",
        remedy=f"ALTER ROLE {role} BYPASSRLS; or connect as a role that no policy applies to.",
        table=name,
    )


def _missing(connection: psycopg.Connection, schema: str, name: str) -> ConfigError:
    there = [
        label
        for (label,) in connection.execute(
            "select n.nspname || '.' || c.relname from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v', 'm', 'f')"
            " and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
        )
    ]
    near = get_close_matches(f"{schema}.{name}", there, n=5, cutoff=0.3)
    names = f"the nearest of {len(there)} are {', '.join(near)}" if near else "it has none like it"
    return ConfigError(
        f"The source has no table {schema}.{name}.",
        remedy=f"Correct its name, or source.schema; {names}.",
        table=name,
    )
