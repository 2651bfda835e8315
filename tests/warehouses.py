"""The warehouses that a test runs on: how each is configured and read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import polars as pl

from tests.emulator import Account

Rows = list[tuple[Any, ...]]


class Copy(Protocol):
    """A warehouse as a test reads it."""

    @property
    def settings(self) -> dict[str, str]:
        """The `warehouse` part of a configuration that leads there."""

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        """The rows of a query."""

    def frame(self, statement: str) -> pl.DataFrame:
        """A query's rows, however many."""

    def column(self, name: str) -> str:
        """The identifier of the copy of a column with a plain name."""


@dataclass(frozen=True)
class DuckDBCopy:
    file: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"kind": "duckdb", "path": str(self.file)}

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        with duckdb.connect(str(self.file), read_only=True) as session:
            session.execute("set TimeZone = 'UTC'")
            return session.execute(statement, list(parameters)).fetchall()

    def frame(self, statement: str) -> pl.DataFrame:
        with duckdb.connect(str(self.file), read_only=True) as session:
            session.execute("set TimeZone = 'UTC'")
            return pl.DataFrame(session.sql(statement).to_arrow_table())

    def column(self, name: str) -> str:
        return f'"{name}"'


@dataclass(frozen=True)
class SnowflakeCopy:
    account: Account

    @property
    def settings(self) -> dict[str, str]:
        return {"kind": "snowflake", "database": self.account.database}

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        return self.account.query(statement, *parameters)

    def frame(self, statement: str) -> pl.DataFrame:
        with self.account.connect() as session, session.cursor() as cursor:
            cursor.execute(statement)
            return pl.DataFrame(cursor.fetch_arrow_all(force_return_table=True))

    def column(self, name: str) -> str:
        return f'"{name.upper()}"'
