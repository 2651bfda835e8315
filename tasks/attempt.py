"""One attempt at one table: what it starts from, what came of it, and its row in the ledger."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tasks.cpu import CpuShare
from tasks.fields import Policy
from tasks.logs import log
from tasks.quality.audit import check
from tasks.source.snapshot import Snapshot
from tasks.table import Table
from tasks.transfer.contract import Contract
from tasks.transfer.evolution import evolve
from tasks.transfer.extract import Extract
from tasks.transfer.files import StagingFiles
from tasks.transfer.overwrite import asked_partitions
from tasks.transfer.selection import Bounds
from tasks.transfer.types import INTEGERS
from tasks.transfer.watermark import check_floor, is_ahead, lower_bound, next_watermark
from tasks.warehouse.base import Publication, Staged, State, Warehouse
from tasks.warehouse.ledger import Purpose


def new_id() -> str:
    """An attempt's: 12 hexadecimal digits."""
    return uuid.uuid4().hex[:12]


#: What is said of values that don't fit, by what `unrepresentable` has for them.
BECAME = {"null": "became NULL", "dead_letter": "went to the dead letters"}


@dataclass(frozen=True)
class Outcome:
    """What a person is told of one table; `changes` of its columns are told once.

    `cells_unrepresentable` is the JSON of the ledger: by column, how many values its type can't
    hold became NULL or a dead letter. `forced` is what its breaker said, where it was published in
    spite of it.
    """

    table: str
    mode: str
    outcome: str
    rows_read: int
    rows_published: int
    rows_dead_lettered: int
    seconds: float
    cells_unrepresentable: str | None = None
    forced: str | None = None
    changes: tuple[str, ...] = ()

    @property
    def remarks(self) -> Iterator[str]:
        """What there is to say beside the figures."""
        yield from self.changes
        for column, cells in json.loads(self.cells_unrepresentable or "{}").items():
            for how, number in cells.items():
                yield f"{number:,} values of {column} don't fit its type and {BECAME[how]}"
        if self.forced:
            yield f"published by --force: {self.forced}"


@dataclass
class Attempt:
    """Fixed when the attempt starts; `state` was read before the source was.

    The copy had `copied` rows, and `usual` were read when it was last read in part. `sought` are
    rows that are picked for a `purpose` beside the nights: those of dead letters, of a backfill's
    slice or in which the copy differs. When `forced`, its breaker stops it no more; `overruled` is
    what the breaker said. `slice` names a backfill's, and `buckets` are those of keys among which
    rows are known to have left the source.
    """

    table: Table
    run_id: str
    contract: Contract
    snapshot: Snapshot
    state: State
    full_refresh: bool
    partitions: list[str]
    copied: int
    usual: int | None = None
    sought: Bounds | None = None
    purpose: Purpose = "replay"
    slice: str | None = None
    buckets: tuple[int, ...] = ()
    forced: bool = False
    overruled: list[str] = field(default_factory=list)
    id: str = field(default_factory=new_id)
    started: float = field(default_factory=time.monotonic)
    cpu: CpuShare = field(default_factory=CpuShare)

    def __post_init__(self) -> None:
        check_floor(self.snapshot.floor, self.table)
        self.evolution = evolve(
            self.state.fingerprint, self.contract.shape, self.table, self.full_refresh
        )
        for change in self.evolution.changes:
            log.info("%s: %s", self.table.name, change)
        self.watermark = None if self.evolution.whole else self.state.watermark
        self.bounds = self._bounds()
        if self.table.cursor and self.contract.cursor.kind in INTEGERS:
            log.warning(
                "%s: the cursor %s is an integer, which is not commit-proof: a row is missed that"
                " commits after one whose value is more than %s higher",
                self.table.name,
                self.table.cursor,
                self.table.lag or 0,
            )
        self.staged = Staged(
            table=self.table.target,
            attempt=self.id,
            run_id=self.run_id,
            fields=self.contract.fields,
            synced_at=self.state.next_synced_at(datetime.now(UTC)),
            soft=self.table.deletes == "soft",
        )

    def _bounds(self) -> Bounds:
        if self.partitions and self.evolution.whole:
            log.info("%s: it is read in full before single partitions are", self.table.name)
        if self.sought and not self.evolution.whole:
            return self.sought
        if self.full_refresh or self.table.mode == "full_refresh" or self.evolution.whole:
            return Bounds(whole=True, letters=self.sought is not None and self.sought.letters)
        if self.partitions:
            return Bounds(False, asked=tuple(asked_partitions(self.contract, self.partitions)))
        if self.table.cursor is None or self.watermark is None:
            return Bounds(whole=self.table.cursor is not None)
        lower = lower_bound(self.watermark, self.table, self.contract.cursor)
        if is_ahead(lower, self.snapshot.floor, self.table):
            log.warning(
                "%s: the source's clock is behind its watermark, so it is read in full",
                self.table.name,
            )
            return Bounds(whole=True)
        return Bounds(False, lower)

    def next_watermark(self, extracted: Extract) -> str | None:
        """Where the next attempt goes on, once this one is published."""
        if self.table.cursor is None or self.bounds.picked:
            return self.watermark
        rounding = self.contract.cursor_rounding
        read = (extracted.largest, self.snapshot.floor, self.table, rounding)
        if extracted.replaced is None:  # whatever is read whole may begin anew
            return next_watermark(None, *read) or self.watermark
        return next_watermark(self.watermark, *read)

    @property
    def expected(self) -> int | None:
        """How many rows it will read, as an estimate."""
        if self.bounds.whole:
            return self.contract.relation.estimated_rows or self.copied or None
        return self.usual if self.bounds.lower is not None else None

    def judge(self, breaches: Iterable[str]) -> None:
        """Stops the attempt at a breach of its breaker; one that is forced goes on, on record.

        A batch of rows that were bad before is not judged.

        Raises:
            BreakerTripped: With every breach.
        """
        if self.sought and self.purpose != "backfill" and self.bounds.picked:
            return
        if not self.forced:
            check(self.table.name, breaches)
        for breach in breaches:
            log.warning("%s: goes on by --force: %s", self.table.name, breach)
            self.overruled.append(breach)

    def staging_files(self, warehouse: Warehouse, size: int) -> StagingFiles:
        """The attempt's own files, each handed to the warehouse once it has `size` MB."""
        return StagingFiles(
            folder=warehouse.staging_folder() / self.id,
            size=size * 1_000_000,
            compression=warehouse.compression,
            hand_over=partial(warehouse.upload, self.staged),
        )

    def record(self, outcome: str, **figures: Any) -> dict[str, Any]:
        """This attempt's row of `sync_runs`; a failed one has no figures."""
        return ledger_row(self.run_id, self.table, self.id, outcome) | {
            "snapshot_id": self.snapshot.id,
            "snapshot_lsn": self.snapshot.lsn,
            "snapshot_at": self.snapshot.taken_at,
            "mode": self.purpose if self.sought else self.table.mode,
            "lower_bound": None if self.bounds.lower is None else str(self.bounds.lower),
            "rows_read": 0,
            "rows_published": 0,
            "rows_dead_lettered": 0,
            "forced": ". ".join(self.overruled) or None,
            "schema_changes": "; ".join(self.evolution.changes) or None,
            "slice": self.slice or (", ".join(self.partitions) if self.bounds.asked else None),
            "seconds": time.monotonic() - self.started,
            "cpu_seconds": self.cpu.seconds,
            **figures,
        }


@dataclass(frozen=True)
class Prepared:
    """An attempt that is staged and audited, and waits to be published."""

    attempt: Attempt
    extracted: Extract
    staged: Staged

    @property
    def is_compared(self) -> bool:
        """Whether its keys are to be compared: a whole table holds just the source's anyway."""
        table, renamed = self.attempt.table, self.attempt.evolution.renamed.values()
        if self.attempt.sought:
            return bool(self.attempt.buckets)
        # The copy's columns get their new names in the publish, and are compared the next night.
        if table.deletes == "ignore" or not {*renamed}.isdisjoint(self.attempt.contract.key):
            return False
        return self.extracted.replaced is not None

    def publication(self) -> Publication:
        """What publishing the attempt changes."""
        attempt, contract = self.attempt, self.attempt.contract
        watermark = attempt.next_watermark(self.extracted)
        return Publication(
            staged=self.staged,
            replaced=self.extracted.replaced,
            key=contract.key_fields,
            state=attempt.state,
            watermark=watermark,
            fingerprint=contract.shape.keeping(attempt.evolution.kept),
            evolution=attempt.evolution,
            record=self.record("published", watermark=watermark, rows_published=self.staged.rows),
            sought=attempt.bounds.letters,
        )

    def record(self, outcome: str, **figures: Any) -> dict[str, Any]:
        """The attempt's row of `sync_runs`, with what was read and staged."""
        return self.attempt.record(
            outcome,
            **{
                "rows_read": self.extracted.rows_read,
                "rows_staged": self.staged.rows,
                "rows_dead_lettered": self.extracted.rows_dead,
                "rows_deleted": (self.staged.deleted or 0) if self.is_compared else None,
                "cells_coerced": sum(
                    cells for (_, how), cells in self.extracted.unfit.items() if how == "null"
                ),
                "cells_unrepresentable": _by_column(self.extracted.unfit),
                "bytes_read": self.extracted.bytes,
                **figures,
            },
        )


def ledger_row(run_id: str, table: Table, attempt: str, outcome: str) -> dict[str, Any]:
    """What every row of `sync_runs` says, also of an attempt that never began."""
    return {
        "run_id": run_id,
        "table_name": table.target,
        "attempt": attempt,
        "outcome": outcome,
        "mode": table.mode,
        "finished_at": datetime.now(UTC),
    }


def _by_column(unfit: Counter[tuple[str, Policy]]) -> str | None:
    columns: dict[str, dict[str, int]] = {}
    for (name, how), cells in sorted(unfit.items()):
        columns.setdefault(name, {})[how] = cells
    return json.dumps(columns, ensure_ascii=False) if columns else None


def outcome_of(record: dict[str, Any], table: Table, changes: tuple[str, ...] = ()) -> Outcome:
    """The part of a ledger row that the summary shows."""
    shown = {name: record[name] for name in Outcome.__dataclass_fields__ if name in record}
    return Outcome(table=table.name, changes=changes, **shown)
