"""How a table is cut into queries that several readers share: ranges of tuple ids of each leaf."""

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
    Leaves without a heap (views, foreign tables) are one query.
    """
    total = sum(leaf.pages or 0 for leaf in relation.leaves)
    step = max(SMALLEST_RANGE, -(-total // (streams * RANGES_A_STREAM)))
    return [
        _select(columns, leaf, [part for part in (tids, where) if part is not None])
        for leaf in relation.leaves
        for tids in _ranges(leaf, step)
    ]


def cursor_queries(
    relation: Relation, columns: sql.Composable, wheres: list[sql.Composable]
) -> list[str]:
    """One SELECT for each leaf and condition, for an index on the cursor to serve."""
    return [_select(columns, leaf, [where]) for leaf in relation.leaves for where in wheres]


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


def _select(columns: sql.Composable, leaf: Leaf, conditions: list[sql.Composable]) -> str:
    query = sql.SQL("select {} from {}{}{}").format(
        columns,
        sql.SQL("only " if leaf.pages is not None else ""),
        sql.Identifier(leaf.schema, leaf.name),
        sql.SQL(" where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
    )
    return query.as_string()
