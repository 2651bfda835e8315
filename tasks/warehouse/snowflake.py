"""Snowflake as the warehouse: one session for each table that publishes.

A publish runs DML only, in one transaction, so that readers see the old rows or the new ones and
grants survive: Snowflake commits the open transaction at any DDL.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from tasks.errors import DaybreakError, TransientError
from tasks.transfer.files import Compression, StagingFile
from tasks.transfer.key_hash import key_md5
from tasks.transfer.row_hash import Hashes
from tasks.transfer.types import Field, Kind
from tasks.warehouse.base import OpenLetters, Publication, Row, Staged, State
from tasks.warehouse.columns import Wanted, alterations
from tasks.warehouse.comparison import LIVE, Comparison
from tasks.warehouse.ledger import Ledger, LostRace
from tasks.warehouse.replaced import Replaced
from tasks.warehouse.snowflake_hashes import HASHES
from tasks.warehouse.snowflake_names import (
    NO_COLLATION,
    exact,
    in_bounds,
    in_slices,
    key_hash,
    key_text,
    keys_in_letter,
    published_value,
    quote,
    row_in_letter,
    same_key,
    sql_type,
    stored,
)
from tasks.warehouse.snowflake_session import Connect, Session
from tasks.warehouse.snowflake_staging import Staging

# Columns of ours beside those of the source.
OURS = {"_synced_at": "timestamp_ltz(6)", "_run_id": "varchar(36)"}


class SnowflakeWarehouse:
    """A session with Snowflake; implements `Warehouse`.

    Args:
        connect: Opens a session with the parameters given.
        raw_schema: Schema of the copied tables and the ledger, in the session's database.
        tag: What every query's tag says, such as run and table.
    """

    compression: ClassVar[Compression] = "zstd"
    hashes: ClassVar[Hashes] = HASHES

    def __init__(self, connect: Connect, raw_schema: str, tag: dict[str, str]) -> None:
        self._schema = stored(raw_schema)
        self._raw = quote(raw_schema)
        self._session = Session(connect, tag)
        self._run = self._session.run
        self._staging = Staging(self._session, raw_schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._session.close()

    def prepare(self) -> None:
        # Only where it lacks, since IF NOT EXISTS asks for the privilege to create it all the same.
        there = "select 1 from information_schema.schemata where schema_name = ?"
        if not self._run("prepare", there, [self._schema]):
            self._run("prepare", f"create schema if not exists {self._raw}")
        ledger = self._ledger("prepare")
        ledger.create(instant="timestamp_ltz", ending=NO_COLLATION)
        self._staging.create()
        self._staging.sweep(ledger.tables())

    def location(self) -> tuple[str, str]:
        return self._session.location()

    def staging_folder(self) -> Path:
        return Path(".daybreak/staging").resolve()

    def state(self, table: str) -> State:
        self._run(
            "state",
            f"merge into {self._raw}.sync_state using (select ? as name) as planned"
            " on sync_state.table_name = planned.name"
            " when not matched then insert (table_name, version) values (planned.name, 0)",
            [table],
        )
        return self._ledger("state").state(table)

    def rows(self, table: str) -> int:
        columns = self._run(
            "audit",
            "select column_name from information_schema.columns"
            " where table_schema = ? and table_name = ?",
            [self._schema, stored(table)],
        )
        if not columns:
            return 0
        live = LIVE if (stored("_deleted_at"),) in columns else "true"
        counted = f"select count(*) from {self._name(table)} where {live}"
        return int(self._run("audit", counted)[0][0])

    def usual_rows(self, table: str) -> int | None:
        return self._ledger("state").usual_rows(table)

    def upload(self, staged: Staged, file: StagingFile) -> None:
        self._staging.upload(staged, file)

    def stage(self, staged: Staged, files: list[StagingFile], letters: list[StagingFile]) -> Staged:
        self._staging.load(staged, files, letters)
        return replace(staged, rows=sum(file.rows for file in files))

    def stage_keys(self, staged: Staged, key: list[Field], files: list[StagingFile]) -> None:
        self._staging.load_keys(staged, key, files)

    def comparison(self, staged: Staged, key: list[Field]) -> Comparison:
        columns = [quote(field.name) for field in key]
        named = [f"{exact(field.name)} as {quote(field.name)}" for field in key]
        names = {
            "target": self._name(staged.table),
            "staging": self._name(staged.name),
            "letters": self._name(staged.letters),
            "ledger": f"{self._raw}.dead_letters",
            "hashes": self._name(staged.hashes),
            "deletes": self._name(staged.deletes),
            "key": ", ".join(columns),
            "staged_key": ", ".join(named),
            "letter_key": keys_in_letter(key),
            "same": " and ".join(f"t.{column} = pending.{column}" for column in columns),
            "live": LIVE if staged.soft else "true",
            "md5": key_md5([key_text(field) for field in key]),
            "hash": key_hash(key),
            "xor": "bitxor_agg",
        }
        return Comparison(partial(self._run, "compare"), names, staged.table)

    def replaced(self, publication: Publication) -> int:
        staged, run = publication.staged, partial(self._run, "audit")
        target, staging = self._name(staged.table), self._name(staged.name)
        counted = Replaced(run, target, staging, quote, published_value, in_bounds)
        return counted.count(publication)

    def publish(self, publications: list[Publication]) -> bool:
        ledger = self._ledger("publish")
        try:
            for publication in publications:
                ledger.check_state(publication)
                self._ready_target(publication)
            with self._transaction(publications[0].staged):
                for publication in publications:
                    self._publish_rows(publication)
                    self._publish_letters(publication)
                    ledger.close(publication)
        except LostRace:
            return False
        return True

    def discard(self, staged: Staged) -> None:
        self._staging.discard(staged)

    def record(self, record: dict[str, Any]) -> None:
        self._ledger("record").add("sync_runs", [record])

    def published(self, run_id: str, table: str) -> dict[str, Any] | None:
        return self._ledger("state").published(run_id, table)

    def is_copied_whole(self, table: str) -> bool:
        return self._ledger("state").is_copied_whole(table)

    def last_attempt(self, run_id: str, table: str) -> dict[str, Any] | None:
        return self._ledger("state").last_attempt(run_id, table)

    def newest(self, table: str, by: str, most: int) -> list[tuple[Any, ...]]:
        return self._ledger("report").newest(table, by, most)

    def open_letters(self) -> list[OpenLetters]:
        return self._ledger("letters").open_letters()

    def letter_hashes(self, table: str, key: list[Field]) -> list[int | None]:
        hashes = self._ledger("letters").in_letters(table, key_hash(key), keys_in_letter(key))
        return [None if each is None else int(each) for each in hashes]

    def letter_values(self, table: str, field: Field) -> list[str | None]:
        return self._ledger("letters").in_letters(table, key_text(field), row_in_letter(field))

    def quote(self, name: str) -> str:
        return quote(name)

    def query(self, statement: str, parameters: list[Any] | None = None) -> list[Row]:
        return self._run("measure", statement, parameters)

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        self._ledger("record").add(table, rows)

    def _ready_target(self, publication: Publication) -> None:
        """Makes the table, or alters its columns: DDL, and so before the transaction."""
        staged = publication.staged
        target, loaded = self._name(staged.table), self._columns(self._name(staged.name))
        shown = {
            f.name: "VARIANT" if f.kind is Kind.JSON else loaded[f.name] for f in staged.fields
        }
        wanted = [Wanted(field.name, sql_type(field), shown[field.name]) for field in staged.fields]
        ours = OURS | ({"_deleted_at": "timestamp_ltz(6)"} if staged.soft else {})
        if publication.replaced is None:
            columns = {each.name: each.type for each in wanted} | ours
            defined = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
            made = f"create table if not exists {target} ({defined}) {NO_COLLATION}"
            self._run("publish", made)
        there = self._columns(target)
        wanted += [Wanted(name, kind, there.get(stored(name), kind)) for name, kind in ours.items()]
        for statement in [*alterations(publication, target, there, wanted, stored, quote)]:
            self._run("publish", statement)

    def _publish_rows(self, publication: Publication) -> None:
        staged = publication.staged
        target, staging = self._name(staged.table), self._name(staged.name)
        names = [quote(name) for name in (*(f.name for f in staged.fields), *OURS)]
        values = [published_value(field) for field in staged.fields]
        overwrite = "overwrite " if publication.replaced is None and not staged.soft else ""
        for statement, bindings in self._deletes(publication) if not overwrite else []:
            self._run("publish", statement, bindings)
        self._run(
            "publish",
            f"insert {overwrite}into {target} ({', '.join(names)})"
            f" select {', '.join(values)}, ?, ? from {staging} s",
            [staged.synced_at, staged.run_id],
        )

    def _publish_letters(self, publication: Publication) -> None:
        columns = {f"s.{exact(field.name)}": field for field in publication.key}
        self._ledger("publish").publish_letters(
            publication,
            keys=[self._name(table) for table in publication.staged.keyed],
            letters=self._name(publication.staged.letters),
            same_key=same_key(columns, "dead_letters"),
            in_slices=in_slices,
        )

    def _deletes(self, publication: Publication) -> Iterator[tuple[str, list[Any]]]:
        """The statements that make way for the staged rows, each with its values."""
        staged, replaced = publication.staged, publication.replaced
        target, row = self._name(staged.table), quote(staged.table)
        columns = {f"{row}.{quote(field.name)}": field for field in publication.key}
        if replaced:
            condition, values = in_bounds(replaced, quote(replaced[0].field.name))
            yield f"delete from {target} where {condition}", values
        if publication.key:
            same = " and ".join(
                f"{name} = {published_value(field)}" for name, field in columns.items()
            )
            yield f"delete from {target} using {self._name(staged.name)} s where {same}", []
        if publication.key and replaced != []:
            letter = same_key(columns, "l")
            yield f"delete from {target} using {self._name(staged.letters)} l where {letter}", []
        deletes, now = self._name(staged.deletes), [staged.synced_at, staged.synced_at]
        mark = f"update {target} set _deleted_at = ?, _synced_at = ?, _run_id = ?"
        if staged.soft and replaced is None:
            there = self._columns(target)
            shown = [name for name in publication.evolution.hidden if stored(name) in there]
            if hidden := [f"{quote(name)} = null" for name in sorted(shown)]:
                yield f"update {target} set {', '.join(hidden)}", []
            yield f"{mark} where {LIVE}", [*now, staged.run_id]
        elif staged.soft and staged.deleted is not None:
            yield f"{mark} from {deletes} s where {same} and {LIVE}", [*now, staged.run_id]
        elif staged.deleted is not None:
            yield f"delete from {target} using {deletes} s where {same}", []

    @contextmanager
    def _transaction(self, staged: Staged) -> Iterator[None]:
        self._run("publish", "begin")
        try:
            yield
            self._commit(staged)
        except BaseException:
            # A session that is lost rolls back by itself.
            with suppress(DaybreakError):
                self._run("publish", "rollback")
            raise

    def _commit(self, staged: Staged) -> None:
        """Commits; when the answer is lost, the ledger says on another session what came of it."""
        try:
            self._run("publish", "commit")
        except TransientError:
            if not self._ledger("publish").has_published(staged.attempt):
                raise

    def _columns(self, table: str) -> dict[str, str]:
        """A table's columns and their types, without the lengths that Snowflake may change."""
        described = self._run("publish", f"describe table {table}")
        return {
            name: kind if kind.startswith("NUMBER") else kind.split("(")[0]
            for name, kind, *_ in described
        }

    def _name(self, table: str) -> str:
        return f"{self._raw}.{quote(table)}"

    def _ledger(self, step: str) -> Ledger:
        return Ledger(partial(self._run, step), self._raw)
