"""DuckDB as the warehouse: one file, owned by one process while a run lasts.

Whole tables are replaced by its transactional DDL, so that a reader sees the old or the new one.
Publishes of one file take turns; they are short, and DuckDB would answer a race with an error.
"""

import glob
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import duckdb

from tasks.transfer.files import Compression, StagingFile
from tasks.transfer.key_hash import key_md5
from tasks.transfer.row_hash import Hashes
from tasks.transfer.slices import bound
from tasks.transfer.types import Field
from tasks.warehouse.base import STAGING_TABLE, OpenLetters, Publication, Row, Staged, State
from tasks.warehouse.columns import Wanted, alterations
from tasks.warehouse.comparison import LIVE, Comparison
from tasks.warehouse.duckdb_errors import duckdb_errors
from tasks.warehouse.duckdb_hashes import HASHES
from tasks.warehouse.duckdb_names import (
    defined,
    in_slices,
    key_hash,
    key_text,
    keys_in_letter,
    quote,
    row_in_letter,
    same_key,
    same_row,
    staged_value,
)
from tasks.warehouse.ledger import STAGED_LETTERS, Ledger, LostRace
from tasks.warehouse.replaced import Replaced

# Every connection of a process to one file must ask for the same settings.
SETTINGS: dict[str, Any] = {
    "memory_limit": "320MB",
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
}
# A folder named like env=prod is no column.
PARQUET = "read_parquet(?, hive_partitioning => false)"
_publishing: dict[Path, threading.Lock] = defaultdict(threading.Lock)
# Staging tables of this process's attempts. All others are dead, since a file has one process.
_staging: set[str] = set()


class DuckDBWarehouse:
    """A session with the warehouse file; implements `Warehouse`."""

    compression: ClassVar[Compression] = "snappy"
    hashes: ClassVar[Hashes] = HASHES

    def __init__(self, path: Path, raw_schema: str) -> None:
        self._path = path.resolve()
        self._raw = quote(raw_schema)
        self._ledger = Ledger(self.query, self._raw)
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
            self._ledger.create(instant="timestamptz")
            tables = "select table_name from duckdb_tables() where schema_name = ?"
            there = {name for (name,) in self.query(tables, [self._raw[1:-1]])}
            for name in there - self._ledger.tables() - _staging:
                if STAGING_TABLE.fullmatch(name):
                    self.query(f"drop table {self._name(name)}")

    def location(self) -> tuple[str, str]:
        return f"duckdb://{self._path}", self._path.stem

    def staging_folder(self) -> Path:
        return self._path.with_suffix(".staging")

    def state(self, table: str) -> State:
        with _publishing[self._path]:
            self.query(
                f"insert or ignore into {self._raw}.sync_state (table_name, version) values (?, 0)",
                [table],
            )
        return self._ledger.state(table)

    def rows(self, table: str) -> int:
        columns = self._columns(table)
        if not columns:
            return 0
        live = LIVE if "_deleted_at" in columns else "true"
        return int(self.query(f"select count(*) from {self._name(table)} where {live}")[0][0])

    def usual_rows(self, table: str) -> int | None:
        return self._ledger.usual_rows(table)

    def upload(self, staged: Staged, file: StagingFile) -> None:
        """Nothing to do: DuckDB reads the files where they are."""

    def stage(self, staged: Staged, files: list[StagingFile], letters: list[StagingFile]) -> Staged:
        deleted_at = ", _deleted_at timestamptz" if staged.soft else ""
        self._make(
            staged.name,
            f"{defined(staged.fields)}, _synced_at timestamptz, _run_id uuid{deleted_at}",
        )
        self._make(staged.letters, STAGED_LETTERS)
        loaded = 0
        if files:
            [(loaded,)] = self.query(
                f"insert into {self._name(staged.name)}"
                f" select *, ?, ?{', null' if staged.soft else ''} from {PARQUET}",
                [staged.synced_at, staged.run_id, _paths(files)],
            )
        self._load(staged.letters, letters)
        return replace(staged, rows=loaded)

    def stage_keys(self, staged: Staged, key: list[Field], files: list[StagingFile]) -> None:
        self._make(staged.hashes, "key_hash bigint")
        self._make(staged.deletes, f"{defined(key)}, key_hash bigint")
        self._load(staged.hashes, files)

    def comparison(self, staged: Staged, key: list[Field]) -> Comparison:
        columns = [quote(field.name) for field in key]
        names = {
            "target": self._name(staged.table),
            "staging": self._name(staged.name),
            "letters": self._name(staged.letters),
            "ledger": f"{self._raw}.dead_letters",
            "hashes": self._name(staged.hashes),
            "deletes": self._name(staged.deletes),
            "key": ", ".join(columns),
            "staged_key": ", ".join(columns),
            "letter_key": keys_in_letter(key),
            "same": same_row(key, "t", "pending"),
            "live": LIVE if staged.soft else "true",
            "md5": key_md5([key_text(field) for field in key]),
            "hash": key_hash(key),
            "xor": "bit_xor",
        }
        return Comparison(self.query, names, staged.table)

    def replaced(self, publication: Publication) -> int:
        staged = publication.staged
        target, staging = self._name(staged.table), self._name(staged.name)
        counted = Replaced(self.query, target, staging, quote, staged_value, bound)
        return counted.count(publication)

    def publish(self, publications: list[Publication]) -> bool:
        try:
            with _publishing[self._path], self._transaction():
                for publication in publications:
                    self._ledger.check_state(publication)
                    self._publish_letters(publication)
                    self._publish_rows(publication)
                    self._ledger.close(publication)
        except LostRace:
            return False
        return True

    def discard(self, staged: Staged) -> None:
        for name in staged.tables:
            self.query(f"drop table if exists {self._name(name)}")
            _staging.discard(name)

    def record(self, record: dict[str, Any]) -> None:
        self._ledger.add("sync_runs", [record])

    def published(self, run_id: str, table: str) -> dict[str, Any] | None:
        return self._ledger.published(run_id, table)

    def is_copied_whole(self, table: str) -> bool:
        return self._ledger.is_copied_whole(table)

    def last_attempt(self, run_id: str, table: str) -> dict[str, Any] | None:
        return self._ledger.last_attempt(run_id, table)

    def newest(self, table: str, by: str, most: int) -> list[tuple[Any, ...]]:
        return self._ledger.newest(table, by, most)

    def open_letters(self) -> list[OpenLetters]:
        return self._ledger.open_letters()

    def letter_hashes(self, table: str, key: list[Field]) -> list[int | None]:
        hashes = self._ledger.in_letters(table, key_hash(key), keys_in_letter(key))
        return [None if each is None else int(each) for each in hashes]

    def letter_values(self, table: str, field: Field) -> list[str | None]:
        return self._ledger.in_letters(table, key_text(field), row_in_letter(field))

    def quote(self, name: str) -> str:
        return quote(name)

    def query(self, statement: str, parameters: list[Any] | None = None) -> list[Row]:
        with duckdb_errors(self._path):
            return self._session.execute(statement, parameters).fetchall()

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        self._ledger.add(table, rows)

    def _publish_letters(self, publication: Publication) -> None:
        self._ledger.publish_letters(
            publication,
            keys=[self._name(table) for table in publication.staged.keyed],
            letters=self._name(publication.staged.letters),
            same_key=same_key(publication.key, "s", "dead_letters"),
            in_slices=in_slices,
        )

    def _publish_rows(self, publication: Publication) -> None:
        table = publication.staged.table
        target, staging = self._name(table), self._name(publication.staged.name)
        if publication.replaced is None:
            is_kept = publication.staged.soft and self._columns(table)
            if is_kept:
                self._alter(publication)
            self._keep_columns(publication)
            if is_kept:
                self._keep_deleted(publication)
            self.query(f"drop table if exists {target}")
            self.query(f"alter table {staging} rename to {quote(table)}")
            return
        self._alter(publication)
        for statement, values in self._deletes(publication):
            self.query(statement, values)
        self.query(f"insert into {target} by name select * from {staging}")

    def _keep_columns(self, publication: Publication) -> None:
        """Gives the staging table the columns that only the copy has, without values."""
        staged = publication.staged
        there, loaded = self._columns(staged.table), self._columns(staged.name)
        names = {name.casefold() for name in (*loaded, *publication.evolution.renamed)}
        for name, kind in there.items():
            if name.casefold() not in names:
                added = f"{quote(name)} {kind}"
                self.query(f"alter table {self._name(staged.name)} add column {added}")

    def _alter(self, publication: Publication) -> None:
        staged = publication.staged
        there, loaded = self._columns(staged.table), self._columns(staged.name)
        wanted = [Wanted(name, kind, kind) for name, kind in loaded.items()]
        target = self._name(staged.table)
        for statement in [*alterations(publication, target, there, wanted, str, quote)]:
            self.query(statement)

    def _columns(self, table: str) -> dict[str, str]:
        """The columns of a table and their types; none when it is not there."""
        found = self.query(
            "select column_name, data_type from duckdb_columns()"
            " where schema_name = ? and table_name = ? order by column_index",
            [self._raw[1:-1], table],
        )
        return dict(found)

    def _deletes(self, publication: Publication) -> Iterator[tuple[str, list[Any]]]:
        """The statements that make way for the staged rows, each with its values."""
        staged = publication.staged
        target = self._name(staged.table)
        if replaced := publication.replaced:
            condition, values = bound(replaced, quote(replaced[0].field.name))
            yield f"delete from {target} where {condition}", [*values]
        if publication.key:
            same = same_row(publication.key, "t", "s")
            yield f"delete from {target} t using {self._name(staged.name)} s where {same}", []
        if publication.key and replaced:
            letter = same_key(publication.key, "t", "l")
            yield f"delete from {target} t using {self._name(staged.letters)} l where {letter}", []
        deletes = self._name(staged.deletes)
        if staged.soft and staged.deleted is not None:
            yield (
                f"update {target} t set _deleted_at = ?, _synced_at = ?, _run_id = ?"
                f" from {deletes} s where {same} and {LIVE}",
                [staged.synced_at, staged.synced_at, staged.run_id],
            )
        elif staged.deleted is not None:
            yield f"delete from {target} t using {deletes} s where {same}", []

    def _keep_deleted(self, publication: Publication) -> None:
        """Adds the copies of deleted rows to the staged ones, which become the whole table."""
        staged, key = publication.staged, publication.key
        target, staging = self._name(staged.table), self._name(staged.name)
        shown = publication.evolution.hidden & self._columns(staged.table).keys()
        hidden = (f" null as {quote(name)}," for name in sorted(shown))
        self.query(
            f"insert into {staging} by name select t.* replace ({''.join(hidden)}"
            " coalesce(_deleted_at, ?) as _deleted_at,"
            " case when _deleted_at is null then ? else _synced_at end as _synced_at,"
            " case when _deleted_at is null then ? else _run_id end as _run_id)"
            f" from {target} t where not exists"
            f" (select 1 from {staging} s where {same_row(key, 't', 's')}) and not exists"
            f" (select 1 from {self._name(staged.letters)} l where {same_key(key, 't', 'l')})",
            [staged.synced_at, staged.synced_at, staged.run_id],
        )

    def _make(self, table: str, columns: str) -> None:
        """Makes one of the attempt's tables, unless an earlier batch did."""
        _staging.add(table)
        self.query(f"create table if not exists {self._name(table)} ({columns})")

    def _load(self, table: str, files: list[StagingFile]) -> None:
        if files:
            into = f"insert into {self._name(table)}"
            self.query(f"{into} select * from {PARQUET}", [_paths(files)])

    def _name(self, name: str) -> str:
        return f"{self._raw}.{quote(name)}"

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


def _paths(files: list[StagingFile]) -> list[str]:
    return [glob.escape(str(file.path)) for file in files]
