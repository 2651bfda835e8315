"""The warehouses that a test runs on: how each is configured and read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import duckdb
import polars as pl

from tasks.config import Config
from tasks.connect import open_warehouse
from tasks.transfer.evolution import Evolution
from tasks.transfer.files import StagingFiles
from tasks.transfer.rules import LETTER
from tasks.transfer.types import Field, Kind
from tasks.warehouse.base import Publication, Staged, Warehouse
from tests.emulator import Account

Rows = list[tuple[Any, ...]]
RUN = str(uuid4())
STAGED = "select table_name from information_schema.tables where table_name ilike 'stg%'"
FIELDS = [Field("id", Kind.INT32), Field("note", Kind.TEXT)]


class Copy(Protocol):
    """A warehouse as a test reads it."""

    @property
    def settings(self) -> dict[str, str]:
        """The `warehouse` part of a configuration that leads there."""

    def __call__(self, statement: str, *parameters: Any) -> Rows:
        """The rows of a query."""

    def frame(self, statement: str) -> pl.DataFrame:
        """A query's rows, however many."""

    def change(self, statement: str) -> None:
        """Runs a statement as someone would behind our back."""

    def column(self, name: str) -> str:
        """The identifier of the copy of a column with a plain name."""

    def hexadecimal(self, name: str) -> str:
        """The digits of a column of bytes with a plain name."""

    def staged(self) -> list[str]:
        """The staging tables and files that are there."""


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

    def change(self, statement: str) -> None:
        with duckdb.connect(str(self.file)) as session:
            session.execute(statement)

    def column(self, name: str) -> str:
        return f'"{name}"'

    def hexadecimal(self, name: str) -> str:
        return f"lower(hex({self.column(name)}))"

    def staged(self) -> list[str]:
        files = self.file.with_suffix(".staging").glob("*")
        return [*(name for (name,) in self(STAGED)), *map(str, files)]


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

    def change(self, statement: str) -> None:
        self.account.query(statement)

    def column(self, name: str) -> str:
        return f'"{name.upper()}"'

    def hexadecimal(self, name: str) -> str:
        return f"lower(hex_encode({self.column(name)}))"

    def staged(self) -> list[str]:
        files = self("list @raw.daybreak_stage")
        return [name for name, *_ in (*self(STAGED), *files)]


def opened(copy: Copy) -> Warehouse:
    """A session with the warehouse, as a run of table t opens it."""
    document = {
        "source": {"url": "postgresql://nowhere"},
        "warehouse": copy.settings,
        "tables": [{"name": "t"}],
    }
    return open_warehouse(Config.model_validate(document), run=RUN, table="t")


def stage(
    session: Warehouse,
    folder: Path,
    rows: Rows,
    letters: Rows | None = None,
    *,
    table: str = "t",
    fields: list[Field] = FIELDS,
) -> Publication:
    """Stages rows and letters as an attempt of its own; the result would replace the table."""
    attempt = uuid4().hex[:12]
    state = session.state(table)
    staged = Staged(table, attempt, RUN, fields, state.next_synced_at(datetime.now(UTC)))
    files = StagingFiles(
        folder / attempt, 1_000_000, session.compression, partial(session.upload, staged)
    )
    names = [field.name for field in fields]
    with files.open():
        with files.stream("rows") as stream:
            stream.write(pl.DataFrame(rows, names, orient="row"))
        with files.stream("letters") as stream:
            stream.write(pl.DataFrame(letters or [], LETTER, orient="row"))
        staged = session.stage(staged, files.rows, files.letters)
    record = {
        "run_id": RUN,
        "table_name": table,
        "attempt": attempt,
        "outcome": "published",
        "finished_at": datetime.now(UTC),
    }
    return Publication(staged, None, fields[:1], state, None, "shape", Evolution(), record)
