"""The warehouses that a test runs on: how each is configured and read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tests.emulator import Account

Rows = list[tuple[Any, ...]]


class Copy(Protocol):
    """A warehouse as a test reads it."""

    @property
    def settings(self) -> dict[str, str]:
        """The `warehouse` part of a configuration that leads there."""

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        """The rows of a query."""


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


@dataclass(frozen=True)
class SnowflakeCopy:
    account: Account

    @property
    def settings(self) -> dict[str, str]:
        return {"kind": "snowflake", "database": self.account.database}

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        return self.account.query(statement, *parameters)
