"""DuckDB as the warehouse: one file, owned by one process while a run lasts.

Whole tables are replaced by its transactional DDL, so that a reader sees the old or the new one.
Publishes of one file take turns; they are short, and DuckDB would answer a race with an error.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from tasks.errors import PermanentError, TransientError
from tasks.transfer.types import Field, Kind
from tasks.warehouse import ledger
from tasks.warehouse.base import Publication, Row, Staged, State

TYPES = {
    Kind.INT16: "smallint",
    Kind.INT32: "integer",
    Kind.INT64: "bigint",
    Kind.FLOAT32: "real",
    Kind.FLOAT64: "double",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "varchar",
    Kind.BINARY: "blob",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
    Kind.TIME: "time",
    Kind.UUID: "uuid",
    Kind.JSON: "json",
}
# Every connection of a process to one file must ask for the same settings.
SETTINGS: dict[str, Any] = {
    "memory_limit": "320MB",
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
}
_publishing: dict[Path, threading.Lock] = defaultdict(threading.Lock)


def sql_type(field: Field) -> str:
    """The column type a field is stored as."""
    if field.kind is Kind.DECIMAL:
        return f"decimal({field.precision}, {field.scale})"
    return TYPES[field.kind]


class DuckDBWarehouse:
    """A session with the warehouse file; implements `Warehouse`."""

    def __init__(self, path: Path, raw_schema: str) -> None:
        self._path = path.resolve()
        self._raw = self.quote(raw_schema)
        with duckdb_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._session = duckdb.connect(str(self._path), config=SETTINGS)
            self._session.execute("set TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._session.close()
        del self._session

    def prepare(self) -> None:
        with _publishing[self._path]:
            self.query(f"create schema if not exists {self._raw}")
            for name, columns in ledger.TABLES.items():
                self.query(f"create table if not exists {self._raw}.{name} ({columns})")
            for (name,) in self.query(
                "select table_name from duckdb_tables()"
                " where schema_name = ? and table_name like 'stg\\_%\\_\\_%' escape '\\'",
                [self._raw[1:-1]],
            ):
                self.query(f"drop table {self._raw}.{self.quote(name)}")

    def staging_folder(self) -> Path:
        return self._path.with_suffix(".staging")

    def state(self, table: str) -> State:
        with _publishing[self._path]:
            self.query(
                f"insert or ignore into {self._raw}.sync_state (table_name, version) values (?, 0)",
                [table],
            )
        row = self.query(
            "select version, watermark, fingerprint, synced_at"
            f" from {self._raw}.sync_state where table_name = ?",
            [table],
        )[0]
        return State(*row)

    def rows(self, table: str) -> int:
        if not self._exists(table):
            return 0
        return int(self.query(f"select count(*) from {self._raw}.{self.quote(table)}")[0][0])

    def stage(
        self,
        staged: Staged,
        fields: list[Field],
        files: list[Path],
        letters: list[Path],
        synced_at: datetime,
        run_id: str,
    ) -> Staged:
        columns = ", ".join(f"{self.quote(f.name)} {sql_type(f)}" for f in fields)
        self.query(
            f"create table {self._name(staged.name)}"
            f" ({columns}, _synced_at timestamptz, _run_id uuid)"
        )
        self.query(
            f"create table {self._name(staged.letters)} (row_key varchar, rule varchar,"
            " column_name varchar, value varchar, record varchar)"
        )
        loaded = 0
        if files:
            [(loaded,)] = self.query(
                f"insert into {self._name(staged.name)} select *, ?, ? from read_parquet(?)",
                [synced_at, run_id, [str(path) for path in files]],
            )
        if letters:
            self.query(
                f"insert into {self._name(staged.letters)} select * from read_parquet(?)",
                [[str(path) for path in letters]],
            )
        return Staged(staged.table, staged.attempt, loaded)

    def publish(self, publication: Publication) -> bool:
        try:
            with _publishing[self._path], self._transaction():
                self._publish_letters(publication)
                self._publish_rows(publication)
                self._insert("sync_runs", publication.record)
                self._advance_state(publication)
        except _LostRace:
            return False
        return True

    def discard(self, staged: Staged) -> None:
        for name in (staged.name, staged.letters):
            self.query(f"drop table if exists {self._name(name)}")

    def record(self, record: dict[str, Any]) -> None:
        self._insert("sync_runs", record)

    def published(self, run_id: str, table: str) -> dict[str, Any] | None:
        with duckdb_errors(self._path):
            found = self._session.execute(
                f"select * from {self._raw}.sync_runs"
                " where run_id = ? and table_name = ? and outcome = 'published'",
                [run_id, table],
            )
            names = [column[0] for column in found.description or []]
            row = found.fetchone()
        return dict(zip(names, row, strict=True)) if row else None

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def query(self, statement: str, parameters: list[Any] | None = None) -> list[Row]:
        with duckdb_errors(self._path):
            return self._session.execute(statement, parameters).fetchall()

    def store_quality(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._insert("quality_results", row)

    def _publish_rows(self, publication: Publication) -> None:
        target, staging = self._name(publication.table), self._name(publication.staged.name)
        if publication.mode == "replace":
            self.query(f"drop table if exists {target}")
            self.query(f"alter table {staging} rename to {self.quote(publication.table)}")
            return
        keys = [self.quote(field.name) for field in publication.key]
        same = " and ".join(f"t.{key} = s.{key}" for key in keys)
        self.query(f"delete from {target} t using {staging} s where {same}")
        self.query(f"insert into {target} by name select * from {staging}")

    def _advance_state(self, publication: Publication) -> None:
        [(advanced,)] = self.query(
            ledger.ADVANCE_STATE.format(raw=self._raw),
            [
                publication.watermark,
                publication.fingerprint,
                publication.synced_at,
                publication.run_id,
                publication.table,
                publication.state.version,
            ],
        )
        if advanced != 1:
            raise _LostRace

    def _publish_letters(self, publication: Publication) -> None:
        names = {
            "raw": self._raw,
            "letters": self._name(publication.staged.letters),
            "staging": self._name(publication.staged.name),
        }
        table, run_id, now = publication.table, publication.run_id, publication.synced_at
        merge = publication.mode == "merge"
        same_key = " and ".join(
            f"s.{self.quote(field.name)} ="
            f" cast(json_extract_string(d.row_key, {_path(field.name)}) as {sql_type(field)})"
            for field in publication.key
        )
        replaced = ledger.REPLACED_BY_MERGE.format(**names, same_key=same_key) if merge else "true"
        self.query(ledger.CLOSE_LETTERS.format(**names, replaced=replaced), [now, table])
        self.query(ledger.SEE_LETTERS_AGAIN.format(**names), [now, run_id, table])
        values = [table, merge, now, run_id, now, run_id, table]
        self.query(ledger.ADD_LETTERS.format(**names), values)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        columns = ", ".join(self.quote(name) for name in row)
        marks = ", ".join("?" for _ in row)
        self.query(f"insert into {self._raw}.{table} ({columns}) values ({marks})", [*row.values()])

    def _name(self, name: str) -> str:
        return f"{self._raw}.{self.quote(name)}"

    def _exists(self, table: str) -> bool:
        return bool(
            self.query(
                "select 1 from duckdb_tables() where schema_name = ? and table_name = ?",
                [self._raw[1:-1], table],
            )
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.query("begin")
        try:
            yield
            self.query("commit")
        except BaseException:
            # After a failed COMMIT there is no transaction left to roll back.
            with duckdb_errors(self._path, ignore=duckdb.TransactionException):
                self._session.execute("rollback")
            raise


class _LostRace(Exception):
    """Another run has published the table since its state was read."""


def _path(name: str) -> str:
    """A JSON path to a top-level key, as a SQL string."""
    key = name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"""'$."{key}"'"""


@contextmanager
def duckdb_errors(path: Path, ignore: type[duckdb.Error] | tuple[()] = ()) -> Iterator[None]:
    """Translates DuckDB's errors, the one place that does.

    Raises:
        TransientError: When another process owns the file, or a transaction lost a race.
        PermanentError: When the disk is full or can't be written, and for everything else.
    """
    try:
        yield
    except ignore:
        pass
    except duckdb.Error as error:
        text = str(error)
        first = text.split("\n", 1)[0].rstrip(".")
        if "Could not set lock on file" in text:
            raise TransientError(
                f"The warehouse {path} is open in another process ({_holder(text)}).",
                remedy="Close that process and run again.",
            ) from None
        if isinstance(error, duckdb.TransactionException):
            raise TransientError(
                f"DuckDB said: {first}.", remedy="Another session wrote the same rows; run again."
            ) from None
        if "No space left" in text or "File too large" in text:
            raise PermanentError(
                f"The disk of the warehouse {path} is full.", remedy="Free space and run again."
            ) from None
        raise PermanentError(
            f"DuckDB said: {first}.", remedy=f"Check the warehouse {path}."
        ) from None


def _holder(text: str) -> str:
    at = text.find("(PID")
    return text[at + 1 : text.find(")", at)] if at >= 0 else "its PID is not known"
