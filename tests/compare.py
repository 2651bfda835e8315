"""Holds a copy against its source, every value of every row, both spelled as text."""

from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import polars as pl
import psycopg
from polars.testing import assert_frame_equal
from psycopg import sql

COLUMNS = """
select a.attname::text, t.typcategory::text, t.typname::text
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
FLOATS = {"float4", "float8"}


def assert_copied(url: str, table: str, file: Path, where: str = "true") -> int:
    """Fails unless the raw copy in a DuckDB file holds just the table's rows; returns how many.

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
    ours = ", ".join(_in_warehouse(name, kind) for name, _, kind in columns)
    with duckdb.connect(str(file), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        rows = warehouse.sql(f"select {ours} from raw.{table} where {where}")
        copy = pl.from_arrow(rows.to_arrow_table())
    assert isinstance(source, pl.DataFrame) and isinstance(copy, pl.DataFrame)
    assert_frame_equal(source, copy, check_row_order=False, check_exact=True)
    return len(copy)


def _in_source(name: str, category: str, kind: str) -> sql.Composable:
    form = "{}::float8 as {}" if kind in FLOATS else "{}::text as {}"
    if category == "A":
        form = "to_json({})::text as {}"
    return sql.SQL(form).format(sql.Identifier(name), sql.Identifier(name))


def _in_warehouse(name: str, kind: str) -> str:
    return f'"{name}"::{"double" if kind in FLOATS else "varchar"} as "{name}"'
