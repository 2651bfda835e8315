"""A Snowflake's account usage on DuckDB: the views that costs are read from, and rows of them.

The statements are ours, written for Snowflake and put into DuckDB's dialect by sqlglot. Columns and
their units are those of Snowflake's documentation of the views.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tasks.errors import PermanentError
from tasks.warehouse.ledger import Ledger

VIEWS = """
attach ':memory:' as snowflake;
create schema snowflake.account_usage;
create table snowflake.account_usage.query_history (
    query_id varchar, query_tag varchar, warehouse_name varchar, start_time timestamptz,
    execution_time bigint, bytes_scanned bigint);
create table snowflake.account_usage.query_attribution_history (
    query_id varchar, start_time timestamptz, credits_attributed_compute double,
    credits_used_query_acceleration double);
create table snowflake.account_usage.warehouse_metering_history (
    warehouse_name varchar, start_time timestamptz, credits_used_compute double,
    credits_attributed_compute_queries double);
create table own_queries as from snowflake.account_usage.query_history;
create schema raw;
set TimeZone = 'UTC';
"""
UNSEEN = (
    "Snowflake said: SQL compilation error: Object 'SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY' does not"
    " exist or not authorized (2003)."
)


@dataclass
class Usage:
    """The account; where `may_read` is false it refuses account usage as Snowflake does."""

    may_read: bool = True
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._session = duckdb.connect()
        self._session.execute(VIEWS)
        Ledger(self._run, "raw").create("timestamptz")

    def query(self, statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Runs a statement of Snowflake's."""
        self.asked.append(statement)
        if statement == "select current_role()":
            return [("LOADER",)]
        if "account_usage" in statement and not self.may_read:
            raise PermanentError(UNSEEN, remedy="")
        parsed = sqlglot.parse_one(statement, dialect="snowflake")
        assert not isinstance(parsed, exp.Command)
        for function in parsed.find_all(exp.TableFromRows):
            assert function.this.expression.name == "query_history_by_user"
            function.replace(exp.to_table("own_queries"))
        return self._run(parsed.sql("duckdb"), parameters or [])

    def quote(self, name: str) -> str:
        return f'"{name}"'

    def ran(
        self,
        run: str,
        table: str | None,
        step: str,
        start: datetime,
        seconds: float = 1,
        scanned: int = 0,
        *,
        settled: bool = True,
        attributed: float | None = None,
    ) -> None:
        """A query that was run, and what account usage knows of it by now."""
        number = len(self._run("from own_queries", []))
        tag = json.dumps({"run": run, **({"table": table} if table else {}), "step": step})
        row = [f"q{number}", tag, "WH", start, int(seconds * 1000), scanned]
        history = "snowflake.account_usage.query_history"
        for view in ["own_queries", *([history] if settled else [])]:
            self._run(f"insert into {view} values (?, ?, ?, ?, ?, ?)", row)
        if attributed is not None:
            self._run(
                "insert into snowflake.account_usage.query_attribution_history values (?, ?, ?, ?)",
                [row[0], start + timedelta(seconds=0.1), attributed, None],
            )

    def metered(self, hour: datetime, used: float, attributed: float) -> None:
        """What the warehouse was billed for an hour."""
        self._run(
            "insert into snowflake.account_usage.warehouse_metering_history values (?, ?, ?, ?)",
            ["WH", hour, used, attributed],
        )

    def forget(self) -> None:
        """Forgets all that queries did, but not the ledger."""
        for view in ("query_history", "query_attribution_history", "warehouse_metering_history"):
            self._run(f"delete from snowflake.account_usage.{view}", [])
        self._run("delete from own_queries", [])

    def _run(self, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        return self._session.execute(statement, parameters).fetchall()
