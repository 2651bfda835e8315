"""How a table is cut into queries that several readers share: ranges of tuple ids of each leaf."""

from collections.abc import Sequence

from psycopg import sql

from tasks.source.catalog import Leaf, Relation

# Below this a second reader costs more than it saves: 16 MB of 8 kB pages.
SMALLEST_RANGE = 2048
RANGES_A_STREAM = 4


def tid_queries(
    relation: Relation, columns: sql.Composable, where: sql.Composable | None, streams: int
) -> list[str]:
    """One SELECT for each range of each leaf; together they return every row once.

    The last range of a leaf has no upper end, since the leaf may have grown since it was measured.
    Leaves that are no table of their own (views, foreign tables) are one query.
    """
    total = sum(leaf.pages or 0 for leaf in relation.leaves)
    step = max(SMALLEST_RANGE, -(-total // (streams * RANGES_A_STREAM)))
    return [
        _select(columns, _only(leaf), [part for part in (tids, where) if part is not None])
        for leaf in relation.leaves
        for tids in _ranges(leaf, step)
    ]


def range_queries(
    relation: Relation, columns: sql.Composable, wheres: Sequence[sql.Composable]
) -> list[str]:
    """One SELECT for each condition, for an index or the pruning of partitions to serve."""
    whole = sql.Identifier(relation.schema, relation.name)
    return [_select(columns, whole, [where]) for where in wheres]


def _ranges(leaf: Leaf, step: int) -> list[sql.Composable | None]:
    if leaf.pages is None:
        return [None]
    starts = list(range(0, max(leaf.pages, 1), step))
    ends = [*starts[1:], None]
    return [_tids(start, end) for start, end in zip(starts, ends, strict=True)]


def _tids(start: int, end: int | None) -> sql.Composable:
    lower = sql.SQL("ctid >= {}::tid").format(f"({start},0)")
    if end is None:
        return lower
    return sql.SQL("{} and ctid < {}::tid").format(lower, f"({end},0)")


def _only(leaf: Leaf) -> sql.Composable:
    """The leaf's own rows, without those of tables that inherit from it."""
    return sql.SQL("only {}").format(sql.Identifier(leaf.schema, leaf.name))


def _select(
    columns: sql.Composable, relation: sql.Composable, conditions: list[sql.Composable]
) -> str:
    query = sql.SQL("select {} from {}{}").format(
        columns,
        relation,
        sql.SQL(" where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
    )
    return query.as_string()
