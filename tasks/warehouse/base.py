"""What a warehouse does for the night; `duckdb.py` and `snowflake.py` are its twins."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from tasks.transfer.evolution import Evolution
from tasks.transfer.files import Compression, StagingFile
from tasks.transfer.row_hash import Hashes
from tasks.transfer.slices import Slice
from tasks.transfer.types import Field

if TYPE_CHECKING:
    from tasks.warehouse.comparison import Comparison

Row = tuple[Any, ...]
Query = Callable[[str, list[Any]], list[Row]]
#: Names that `Staged` gives its tables, with the attempt.
STAGING_TABLE = re.compile(r"stg_.*__([0-9a-f]{12})(?:__[a-z]+)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class State:
    """A table's row of `sync_state`: how far its copy is, and the version that guards it."""

    version: int
    watermark: str | None = None
    fingerprint: str | None = None
    synced_at: datetime | None = None

    def next_synced_at(self, now: datetime) -> datetime:
        """The `_synced_at` of the next publish, which rises strictly even if the clock does not."""
        if self.synced_at is None:
            return now
        return max(now, self.synced_at + timedelta(microseconds=1))


@dataclass(frozen=True)
class Staged:
    """What an attempt stages to publish: rows of these fields, and their dead letters.

    `soft` says whether the copy keeps deleted rows, with the time in `_deleted_at`; `deleted` how
    many of its rows have a key that is staged as deleted, None when none are staged.
    """

    table: str
    attempt: str
    run_id: str
    fields: list[Field]
    synced_at: datetime
    soft: bool = False
    rows: int = 0
    deleted: int | None = None

    @property
    def name(self) -> str:
        return f"stg_{self.table}__{self.attempt}"

    @property
    def letters(self) -> str:
        return f"{self.name}__letters"

    @property
    def hashes(self) -> str:
        return f"{self.name}__hashes"

    @property
    def deletes(self) -> str:
        return f"{self.name}__deletes"

    @property
    def keyed(self) -> list[str]:
        """The tables whose keys are published: of rows and, where it is staged, of deleted keys."""
        return [self.name] if self.deleted is None else [self.name, self.deletes]

    @property
    def tables(self) -> list[str]:
        return [self.name, self.letters, self.hashes, self.deletes]


@dataclass(frozen=True)
class Publication:
    """Everything that one publishing transaction changes.

    The staged rows become the whole table when `replaced` is None; a copy that keeps deleted rows
    keeps those that they lack. Else they are inserted after the copies in the replaced slices and
    those with a staged key are deleted; without any slice, the copy of a row that is dead-lettered
    now stays as it was. Letters of what is replaced are closed; all of the table's are, but those
    that are staged again, when their rows were `sought`. `state` is the one that was read before:
    the publish fails if another has happened since. `record` holds the columns of the attempt's
    `sync_runs` row. The copy's columns follow `evolution` before.
    """

    staged: Staged
    replaced: list[Slice] | None
    key: list[Field]
    state: State
    watermark: str | None
    fingerprint: str
    evolution: Evolution
    record: dict[str, Any]
    sought: bool = False


@dataclass(frozen=True)
class OpenLetters:
    """How many dead letters of a table are open for breaking a rule."""

    table: str
    rule: str
    letters: int


class Warehouse(Protocol):
    """One session with the warehouse. Errors are DaybreakErrors; names are unquoted."""

    #: Of staging files.
    compression: ClassVar[Compression]
    #: Of the rows of copies, to hold them against the source's.
    hashes: ClassVar[Hashes]

    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...

    def prepare(self) -> None:
        """Makes the schema and the ledger, and sweeps what dead attempts left."""

    def location(self) -> tuple[str, str]:
        """The account or file, as a URL without a login, and the database's name."""

    def staging_folder(self) -> Path:
        """Where staging files are written."""

    def state(self, table: str) -> State:
        """The table's state; its row is made, with version 0, when there is none."""

    def rows(self, table: str) -> int:
        """Rows of the published copy that are not deleted; 0 when there is none."""

    def usual_rows(self, table: str) -> int | None:
        """Rows read by the newest attempt that read from a lower bound on and was published."""

    def upload(self, staged: Staged, file: StagingFile) -> None:
        """Takes a complete staging file; called by several threads while others are written."""

    def stage(self, staged: Staged, files: list[StagingFile], letters: list[StagingFile]) -> Staged:
        """Loads uploaded files into the attempt's staging tables; the result knows their rows."""

    def stage_keys(self, staged: Staged, key: list[Field], files: list[StagingFile]) -> None:
        """Loads uploaded hashes of the source's keys, and makes a table for deleted keys."""

    def comparison(self, staged: Staged, key: list[Field]) -> "Comparison":
        """The keys that the copy will have with the staged rows, to hold against the source's."""

    def replaced(self, publication: Publication) -> int:
        """Rows of the copy, of those not deleted, that a publish of a part would replace."""

    def publish(self, publications: list[Publication]) -> bool:
        """Publishes in one transaction; False when another run published one of them first."""

    def discard(self, staged: Staged) -> None:
        """Drops an attempt's staging tables, if they are there."""

    def record(self, record: dict[str, Any]) -> None:
        """Adds one row to `sync_runs` outside any publish."""

    def published(self, run_id: str, table: str) -> dict[str, Any] | None:
        """The `sync_runs` row with which this run has published the table, if it has."""

    def is_copied_whole(self, table: str) -> bool:
        """Whether the newest publish was a night's own, and not of rows picked beside nights."""

    def last_attempt(self, run_id: str, table: str) -> dict[str, Any] | None:
        """The newest `sync_runs` row of this run about the table."""

    def newest(self, table: str, by: str, most: int) -> list[tuple[Any, ...]]:
        """Rows of one of the ledger's tables, the newest first by one of its instants."""

    def open_letters(self) -> list[OpenLetters]:
        """How many dead letters are open, by table and rule."""

    def letter_hashes(self, table: str, key: list[Field]) -> list[int | None]:
        """The hash of the key of each open letter's row; None for one that has none."""

    def letter_values(self, table: str, field: Field) -> list[str | None]:
        """The values of a field in open letters' rows, as texts that keys are hashed from."""

    def quote(self, name: str) -> str:
        """An identifier as it stands in a statement."""

    def query(self, statement: str, parameters: list[Any] | None = None) -> list[Row]:
        """Runs one statement and returns its rows."""

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Adds rows to one of the ledger's tables."""
