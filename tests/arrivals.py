"""A table of any types, and its copy held against it by the rules of docs/rules.py, by value."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import psycopg
from psycopg import sql

from docs.rules import BYTES, same
from tasks.source.catalog import Column, introspect
from tests.warehouses import Copy

DIFFERING = """
select n, t.{column}::text, ours.{column} from t full join ours using (n)
where not coalesce({same}, t.{column} is null and ours.{column} is null) order by n"""


class Cell(NamedTuple):
    """A place in the table."""

    row: int
    column: str


def make(source: psycopg.Connection, columns: Iterable[tuple[str, Sequence[str | None]]]) -> None:
    """Makes table t, with a column for each type, c0 and so on, whose values fill it from row 0 on.

    One row more has no value at all.
    """
    names, values = zip(*columns, strict=True)
    defined = ", ".join(f"c{number} {name}" for number, name in enumerate(names))
    source.execute(f"create table t (n int primary key, {defined})".encode())
    holes = ", ".join(f"%s::{name}" for name in names)
    rows = [*zip_longest(*values), [None] * len(names)]
    with source.cursor() as cursor:
        cursor.executemany(
            f"insert into t values (%s, {holes})".encode(),
            [(number, *row) for number, row in enumerate(rows)],
        )


def differences(
    source: psycopg.Connection, copy: Copy
) -> dict[Cell, tuple[str | None, str | None]]:
    """The texts of values of t and of their copies, where these are not as the rules say."""
    columns = [each for each in introspect(source, "public", "t").columns if each.name != "n"]
    _take_back(source, copy, columns)
    found = {}
    for column in columns:
        condition = sql.SQL(same(column)).format(
            theirs=sql.Identifier("t", column.name),
            ours=sql.Identifier("ours", column.name),
            type=sql.SQL(column.declared),
        )
        query = sql.SQL(DIFFERING).format(column=sql.Identifier(column.name), same=condition)
        for row, *texts in source.execute(query):
            found[Cell(row, column.name)] = (texts[0], texts[1])
    return found


def _take_back(source: psycopg.Connection, copy: Copy, columns: list[Column]) -> None:
    """Puts the copy into table `ours` of the source, as text."""
    texts = [
        copy.hexadecimal(each.name) if same(each) == BYTES else f"{copy.column(each.name)}::varchar"
        for each in columns
    ]
    defined = sql.SQL(", ").join(
        sql.SQL("{} text").format(sql.Identifier(each.name)) for each in columns
    )
    source.execute("drop table if exists ours")
    source.execute(sql.SQL("create table ours (n int, {})").format(defined))
    rows = copy(f"select {copy.column('n')}, {', '.join(texts)} from raw.t")
    with source.cursor() as cursor, cursor.copy("copy ours from stdin") as into:
        for row in rows:
            into.write_row(row)
