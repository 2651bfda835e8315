"""Files and tables on their way into Snowflake, one folder and two tables an attempt.

Files lie on a stage of the raw schema's own and not on the stages of tables: it is there before
any table is, can be listed, and is what a person looks for. Their path begins with the attempt.
"""

import glob
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath

from tasks.errors import PermanentError
from tasks.transfer.files import StagingFile
from tasks.transfer.types import Field, Kind
from tasks.warehouse.base import STAGING_TABLE, Staged
from tasks.warehouse.ledger import STAGED_LETTERS
from tasks.warehouse.snowflake_names import (
    NO_COLLATION,
    exact,
    literal,
    quote,
    sql_type,
    stored,
)
from tasks.warehouse.snowflake_session import Session

COPY_OPTIONS = """
file_format = (type = parquet use_logical_type = true binary_as_text = false
               use_vectorized_scanner = true)
purge = true on_error = abort_statement"""
OLD = timedelta(days=7)


class Staging:
    """The staging of one raw schema.

    Args:
        raw_schema: Its name, unquoted.
    """

    def __init__(self, session: Session, raw_schema: str) -> None:
        self._run = session.run
        self._schema = stored(raw_schema)
        self._raw = quote(raw_schema)
        self._stage = f"{self._raw}.{quote('daybreak_stage')}"

    def create(self) -> None:
        self._run("prepare", f"create stage if not exists {self._stage}")

    def upload(self, staged: Staged, file: StagingFile) -> None:
        """Puts a file on the stage, and takes it off the disk, unless dead letters are in it."""
        self._run(
            "upload",
            f"put {literal(f'file://{glob.escape(str(file.path))}')}"
            f" {self._location(staged.attempt, file.path.parent.name)}"
            " auto_compress = false source_compression = none overwrite = false",
        )
        # Letters are few, and may go to a file of their own later.
        if file.path.parent.name != "letters":
            file.path.unlink()

    def load(self, staged: Staged, files: list[StagingFile], letters: list[StagingFile]) -> None:
        """Makes the attempt's tables and fills each with one COPY.

        Raises:
            PermanentError: When Snowflake did not load just what was written.
        """
        rows = self._make(staged.name, _defined(staged.fields))
        dead = self._make(staged.letters, STAGED_LETTERS)
        # Rows have the source's names, which may differ by case alone; the letters' are ours.
        self._copy(staged, rows, files, "rows", "case_sensitive")
        self._copy(staged, dead, letters, "letters", "case_insensitive")

    def load_keys(self, staged: Staged, key: list[Field], files: list[StagingFile]) -> None:
        """Makes the tables for keys and fills that of hashes; raises as `load` does."""
        hashes = self._make(staged.hashes, "key_hash number(19, 0)")
        self._make(staged.deletes, f"{_defined(key)}, key_hash number(19, 0)")
        self._copy(staged, hashes, files, "keys", "case_insensitive")

    def discard(self, staged: Staged) -> None:
        for name in staged.tables:
            self._run("discard", f"drop table if exists {self._raw}.{quote(name)}")
        self._run("discard", f"remove {self._location(staged.attempt)}")

    def sweep(self, tables: set[str]) -> None:
        """Takes away what is left of attempts that the ledger says have ended, or that are old.

        Args:
            tables: Those that are copied; they stay, whatever they are called.
        """
        leftovers = self._leftovers(tables)
        attempts = list({attempt for attempt, _ in leftovers.values()})
        if not attempts:
            return
        marks = ", ".join("?" for _ in attempts)
        ended = self._run(
            "prepare",
            f"select attempt from {self._raw}.sync_runs where attempt in ({marks})",
            attempts,
        )
        for statement, (attempt, since) in leftovers.items():
            if (attempt,) in ended or datetime.now(UTC) - since > OLD:
                self._run("prepare", statement)

    def _leftovers(self, tables: set[str]) -> dict[str, tuple[str, datetime]]:
        """The statement that takes each leftover away, with its attempt and its time."""
        published = {stored(name) for name in tables}
        there = self._run(
            "prepare",
            "select table_name, created from information_schema.tables where table_schema = ?",
            [self._schema],
        )
        found = {
            f"drop table if exists {self._raw}.{exact(name)}": (parts[1].lower(), created)
            for name, created in there
            if name not in published and (parts := STAGING_TABLE.fullmatch(name))
        }
        for name, _, _, modified in self._run("prepare", f"list @{self._stage}"):
            attempt = PurePosixPath(name).parts[1]
            found[f"remove {self._location(attempt)}"] = (attempt, parsedate_to_datetime(modified))
        return found

    def _copy(
        self, staged: Staged, table: str, files: list[StagingFile], folder: str, match: str
    ) -> None:
        """Loads a folder of the attempt's, and holds the answer against what was written."""
        if not files:
            return
        answer = self._run(
            "stage",
            f"copy into {table} from {self._location(staged.attempt, folder)}"
            f" match_by_column_name = {match} {COPY_OPTIONS}",
        )
        loaded = {PurePosixPath(name).name: figures[:3] for name, *figures in answer}
        written = {file.path.name: ["LOADED", file.rows, file.rows] for file in files}
        for name in sorted({*loaded, *written}):
            if loaded.get(name) != written.get(name):
                raise PermanentError(
                    f"Snowflake's COPY of {folder}/{name} came to {loaded.get(name, 'nothing')}"
                    f" (status, rows parsed, rows loaded), not {written.get(name, 'nothing')}.",
                    remedy="Nothing was published. Report this with the run's log.",
                )

    def _make(self, name: str, columns: str) -> str:
        """Makes one of an attempt's tables, unless an earlier batch did; returns its full name."""
        table = f"{self._raw}.{quote(name)}"
        made = f"create transient table if not exists {table} ({columns}) {NO_COLLATION}"
        self._run("stage", made)
        return table

    def _location(self, *path: str) -> str:
        return "/".join([f"@{self._stage}", *path, ""])


def _defined(fields: list[Field]) -> str:
    return ", ".join(f"{exact(field.name)} {_staged_type(field)}" for field in fields)


def _staged_type(field: Field) -> str:
    """JSON is staged as text: a COPY that matches columns by name can't parse it."""
    return sql_type(Field(field.name, Kind.TEXT) if field.kind is Kind.JSON else field)
