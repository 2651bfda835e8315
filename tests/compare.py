"""Holds a copy against its source, every value of every row, both spelled as text."""

import json

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg
from polars.testing import assert_frame_equal
from psycopg import sql

from tests.warehouses import Copy

COLUMNS = """
select a.attname::text, t.typcategory::text, t.typname::text
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
FLOATS = {"float4", "float8"}


def assert_copied(url: str, table: str, copy: Copy, where: str = "true") -> int:
    """Fails unless the raw copy holds just the table's rows; returns how many.

    Args:
        where: Which rows are compared, in SQL that both read.
    """
    with psycopg.connect(url) as connection:
        columns = connection.execute(COLUMNS, [table]).fetchall()
    theirs = sql.SQL(", ").join(_in_source(*column) for column in columns)
    query = sql.SQL("select {} from {} where {}").format(
        theirs,
        sql.SQL(table),
        sql.SQL(where),
    )
    with adbc.connect(url) as session, session.cursor() as cursor:
        cursor.execute(query.as_string())
        source = pl.from_arrow(cursor.fetch_arrow_table())
    ours = ", ".join(_in_warehouse(copy.column(name), name, kind) for name, _, kind in columns)
    found = copy.frame(f"select {ours} from raw.{table} where {where}")
    assert isinstance(source, pl.DataFrame)
    found.columns = source.columns
    spelled = [_one_spelling(name) for name, category, kind in columns if _is_json(category, kind)]
    assert_frame_equal(
        source.with_columns(spelled),
        found.with_columns(spelled),
        check_row_order=False,
        check_exact=True,
    )
    return len(found)


def _in_source(name: str, category: str, kind: str) -> sql.Composable:
    form = "{}::float8 as {}" if kind in FLOATS else "{}::text as {}"
    if category == "A":
        form = "to_json({})::text as {}"
    return sql.SQL(form).format(sql.Identifier(name), sql.Identifier(name))


def _in_warehouse(column: str, name: str, kind: str) -> str:
    return f'{column}::{"double" if kind in FLOATS else "varchar"} as "{name}"'


def _is_json(category: str, kind: str) -> bool:
    return category == "A" or kind == "jsonb"


def _one_spelling(name: str) -> pl.Expr:
    """JSON has no one spelling; numbers stay as they are written."""
    return pl.col(name).map_elements(
        lambda text: json.dumps(json.loads(text, parse_float=str), sort_keys=True), pl.String
    )
