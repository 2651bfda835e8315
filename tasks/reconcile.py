"""The task that holds a copy against its source, row by row, at the snapshot it was synced at."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt
from tasks.config import Config
from tasks.connect import limits
from tasks.errors import PermanentError, TransientError
from tasks.logs import log
from tasks.plan import relations
from tasks.source.connection import Source
from tasks.source.read import guarded
from tasks.source.snapshot import Snapshot
from tasks.table import Table
from tasks.transfer.contract import Contract, make_contract
from tasks.transfer.key_hash import BUCKETS, COMPARABLE
from tasks.transfer.overwrite import partition_of
from tasks.transfer.row_compare import (
    Difference,
    Digest,
    SourceRows,
    copied_digests,
    copied_rows,
    differences,
)
from tasks.transfer.row_hash import VALUE, RowHash
from tasks.transfer.selection import Bounds
from tasks.transfer.slices import Slice
from tasks.transfer.sought import MOST_KEYS, value_of
from tasks.transfer.source_keys import Keys
from tasks.warehouse.base import State, Warehouse
from tasks.warehouse.comparison import LIVE

#: Of parts that differ, as many are looked at singly as hold about these rows.
MOST_ROWS = 200_000
#: How many differences the ledger keeps of a table.
KEPT = 100


@dataclass(frozen=True)
class Reconciled:
    """What the comparison of one table found, at a snapshot.

    Of `parts` in which anything differs, `parts_left` were not looked at singly. `remarks` say what
    is compared otherwise than as it is, or not at all.
    """

    table: str
    contract: Contract
    snapshot: Snapshot
    rows_source: int
    rows_copied: int
    parts: int
    parts_left: int
    differences: list[Difference]
    remarks: list[str]
    open_letters: int
    seconds: float
    repaired: bool = False

    @property
    def counts(self) -> Counter[str]:
        return Counter(each.what for each in self.differences)

    @property
    def is_equal(self) -> bool:
        return not self.parts_left and (self.repaired or not self.differences)

    def record(self, run_id: str, target: str) -> dict[str, Any]:
        """Its row of `reconcile_results`."""
        kept = [asdict(each) for each in self.differences[:KEPT]]
        keyed = bool(self.contract.key)
        return {
            "run_id": run_id,
            "table_name": target,
            "snapshot_id": self.snapshot.id,
            "snapshot_at": self.snapshot.taken_at,
            "rows_source": self.rows_source,
            "rows_copied": self.rows_copied,
            "parts_differing": self.parts,
            "rows_missing": self.counts["missing"] if keyed else None,
            "rows_extra": self.counts["extra"] if keyed else None,
            "rows_different": self.counts["different"] + self.counts["doubled"] if keyed else None,
            "repaired": self.repaired,
            "differences": json.dumps(kept, ensure_ascii=False) if kept else None,
            "left_out": "; ".join(self.remarks) or None,
            "open_letters": self.open_letters,
            "seconds": self.seconds,
            "compared_at": datetime.now(UTC),
        }


def check_published(
    warehouse: Warehouse, run_id: str, table: Table, snapshot: Snapshot, before: State
) -> State:
    """The state that the run's publish left, which holds the rows of its snapshot.

    Args:
        before: The state that was read before the snapshot was taken.

    Raises:
        TransientError: When another run has published the table since, or its snapshot is gone.
        PermanentError: When the table can't be read at the instant it was copied at.
    """
    if not snapshot.shared:
        raise PermanentError(
            "The source's sessions can't share a snapshot, so that rows would seem to differ which"
            " changed in between.",
            remedy="Let the source's URL lead to the server itself.",
            table=table.name,
        )
    published, state = warehouse.published(run_id, table.target), warehouse.state(table.target)
    is_ours = published is not None and published["snapshot_id"] == snapshot.id
    if not is_ours or state.version != before.version + 1:
        raise TransientError(
            "Another run published it, or its snapshot was lost, while it was reconciled.",
            remedy="Nothing is known of it; reconcile it when no other run copies it.",
            table=table.name,
        )
    return state


@task(name="compare rows", cache_policy=NO_CACHE, persist_result=False)
def compare_rows(
    config: Config, source: Source, warehouse: Warehouse, name: str, snapshot: Snapshot
) -> Reconciled:
    """Holds the copy of a table against the table on a snapshot.

    Raises:
        StaleSnapshot: When the table was rewritten after the snapshot.
    """
    started = time.monotonic()
    [table] = [each for each in config.tables if each.name == name]
    with source.connect() as session:
        relation = relations(config, [table], session)[name]
    contract = make_contract(table, relation, limits(config))
    hashed = _hashed(contract, warehouse)
    rows = SourceRows(
        source, snapshot, contract, config.source.streams, warehouse.hashes.here, hashed
    )
    raw = warehouse.quote(config.warehouse.raw_schema)
    copy = f"{raw}.{warehouse.quote(table.target)}"
    if table.deletes == "soft":
        copy = f"(select * from {copy} where {LIVE})"
    with guarded(source, snapshot, name, relation):
        theirs = rows.digests()
        ours = copied_digests(warehouse.query(hashed.digests(warehouse.hashes.there, copy)))
        parts = sorted(part for part in {*theirs, *ours} if theirs.get(part) != ours.get(part))
        looked_at = [*_within(parts, theirs, ours)] if hashed.key else []
        found = _of_parts(hashed, parts, theirs, ours)
        if looked_at:
            statement = hashed.rows(warehouse.hashes.there, copy, looked_at)
            copied = copied_rows(warehouse.query(statement), hashed)
            good, there = rows.in_parts(looked_at)
            found = differences(hashed, good, copied, there)
    log.info("%s: compared with %s rows of the source", name, f"{rows.rows:,}")
    letters = [each.letters for each in warehouse.open_letters() if each.table == table.target]
    return Reconciled(
        table=name,
        contract=contract,
        snapshot=snapshot,
        rows_source=rows.rows,
        rows_copied=sum(count for count, *_ in ours.values()),
        parts=len(parts),
        parts_left=len(parts) - len(looked_at) if hashed.key else 0,
        differences=found,
        remarks=[*_remarks(contract, warehouse)],
        open_letters=sum(letters),
        seconds=time.monotonic() - started,
    )


def _hashed(contract: Contract, warehouse: Warehouse) -> RowHash:
    """What of a table is compared, and by what."""
    left_out, key, table = warehouse.hashes.left_out, contract.key_fields, contract.table
    key = [] if any(each.kind in left_out for each in key) else key
    return RowHash(
        # Rows are found by their key, which can't differ.
        fields=[each for each in contract.fields if each.kind not in left_out and each not in key],
        key=key,
        part=contract.field(table.partition_by) if table.partition_by else None,
        unit=table.partition_unit,
        is_sought=all(each.kind in COMPARABLE for each in key),
    )


def _within(parts: list[str], theirs: dict[str, Digest], ours: dict[str, Digest]) -> Iterator[str]:
    """The first of the parts, as many as can be looked at singly, and at least one."""
    rows = 0
    for part in parts:
        if rows > MOST_ROWS:
            return
        rows += max(side[part][0] for side in (theirs, ours) if part in side)
        yield part


def _of_parts(
    hashed: RowHash, parts: list[str], theirs: dict[str, Digest], ours: dict[str, Digest]
) -> list[Difference]:
    """What is told of a table without a key."""
    if hashed.key:
        return []
    none = (0, 0, *(0 for _ in hashed.fields))
    found = []
    for part in parts:
        pairs = zip(theirs.get(part, none)[2:], ours.get(part, none)[2:], strict=True)
        columns = (name for name, (its, own) in zip(hashed.names, pairs, strict=True) if its != own)
        found.append(Difference("partition" if hashed.part else "table", part, tuple(columns)))
    return found


def _remarks(contract: Contract, warehouse: Warehouse) -> Iterator[str]:
    columns = contract.table.columns
    if columns.exclude:
        yield f"not copied, so not compared: {', '.join(columns.exclude)}"
    if columns.dropped:
        yield f"dropped by their mask, so not compared: {', '.join(columns.dropped)}"
    if masked := [each.name for each in contract.fields if each.mask]:
        yield f"compared as masked: {', '.join(masked)}"
    kinds = warehouse.hashes.left_out
    if odd := [f"{each.name} ({each.kind})" for each in contract.fields if each.kind in kinds]:
        yield f"not compared, since this warehouse writes its text anew: {', '.join(odd)}"


def repair_of(found: Reconciled, run_id: str, state: State) -> Attempt:
    """The attempt that publishes just the rows, or parts, that differ.

    Raises:
        PermanentError: When they can't be read again one by one.
    """
    contract = found.contract
    sought = _by_key(found) if contract.key else _by_part(found)
    extra = [each.key_hash for each in found.differences if each.what == "extra"]
    return Attempt(
        table=contract.table,
        run_id=run_id,
        contract=contract,
        snapshot=found.snapshot,
        state=state,
        full_refresh=False,
        partitions=[],
        copied=found.rows_copied,
        sought=sought,
        purpose="repair",
        buckets=tuple(sorted({each % BUCKETS for each in extra if each is not None})),
    )


def _by_key(found: Reconciled) -> Bounds:
    key = tuple(found.contract.key_fields)
    lacking = [each for each in found.differences if each.what != "extra"]
    hashes = [each.key_hash for each in lacking if each.key_hash is not None]
    if len(hashes) > MOST_KEYS or any(each.key_hash is None for each in found.differences):
        raise PermanentError(
            f"{len(found.differences):,} rows differ, too many to repair one by one, or their key"
            " can't be computed by both sides.",
            remedy=f"Run python flows/daily.py --full-refresh --tables {found.table}.",
            table=found.table,
        )
    if not hashes:
        return Bounds(whole=False, asked=(Slice(key[0], "false"),))
    return Bounds(whole=False, keys=Keys(key, tuple(hashes)))


def _by_part(found: Reconciled) -> Bounds:
    contract = found.contract
    if contract.table.partition_by is None:
        return Bounds(whole=True)
    field = contract.field(contract.table.partition_by)
    values = [
        value_of(field, each.key.removeprefix(VALUE)) if each.key else None
        for each in found.differences
    ]
    return Bounds(whole=False, asked=tuple(partition_of(contract, value) for value in values))
