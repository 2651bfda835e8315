"""Conditions in SQL over one row, compiled to Polars and checked before a row is read.

Text is parsed, never evaluated as code. What looks at other rows (aggregates, windows, subqueries)
is refused, since its value would depend on how a table is cut into chunks.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

#: Nodes of Polars' syntax tree that look at other rows, or that don't name their columns.
BEYOND_A_ROW = {
    "Agg",
    "Correlation",
    "Explode",
    "IntRange",
    "Len",
    "Over",
    "Quantile",
    "Rank",
    "Selector",
    "SubPlan",
}


class Unusable(ValueError):
    """Why a condition can't be used, and what to write instead."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def condition(text: str, row: pl.DataFrame) -> tuple[pl.Expr, tuple[str, ...]]:
    """A condition, and the columns that it reads.

    Args:
        row: One row of the columns that may be read, of their types.

    Raises:
        Unusable: When the text is no SQL condition over one row of these columns.
    """
    try:
        parsed = pl.sql_expr(text)
        # There is no other way to a whole tree; its form is Polars' own, whose version is pinned.
        nodes = list(_nodes(json.loads(parsed.meta.serialize(format="json"))))
        columns = tuple(dict.fromkeys(value for name, value in nodes if name == "Column"))
        if {name for name, _ in nodes} & BEYOND_A_ROW:
            raise Unusable("looks at more than one row", "Leave aggregates to quality checks.")
        if missing := [name for name in columns if name not in row.columns]:
            there = ", ".join(row.columns)
            raise Unusable(f"names {missing[0]}, which it can't read", f"It can read: {there}.")
        kind = row.select(parsed).to_series().dtype
    except pl.exceptions.PolarsError as error:
        raise Unusable(f"can't be read: {said(error)}", "Write a condition in SQL.") from None
    if kind != pl.Boolean or not columns:
        told = f"is a {kind}" if columns else "reads no column"
        raise Unusable(f"{told}, not true or false of a row", "Write a comparison.")
    return parsed, columns


def said(error: pl.exceptions.PolarsError) -> str:
    """What is wrong in the words of Polars, without the expression that it quotes."""
    lines = str(error).split("\n\nThis error occurred", 1)[0].split("\n")
    return " ".join(line.strip() for line in lines if line.strip()).rstrip(".")


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """The nodes of a syntax tree, each by its name with what is below it.

    A node without anything below it is its name alone, in a list or a field of another node; fields
    are in small letters.
    """
    for name, below in tree.items() if isinstance(tree, dict) else ():
        yield name, below
        yield from _nodes([below] if name.islower() else below)
    for part in tree if isinstance(tree, list) else ():
        yield from [(part, None)] if isinstance(part, str) else _nodes(part)
