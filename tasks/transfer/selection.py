"""Which rows a night copies: decided on the snapshot, the same for reading and for replacing."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.source.connection import Source
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.overwrite import changed_partitions, last_partitions
from tasks.transfer.slices import Slice, Value
from tasks.transfer.source_keys import Keys
from tasks.transfer.watermark import changed_since


@dataclass(frozen=True)
class Bounds:
    """What an attempt starts from: the whole table, `lower`, slices that were asked for, or keys.

    `lower` is the cursor's first value to read, where the table has a cursor. With `letters` it is
    to meet the rows of the open ones again: those asked for, or of these `keys`, or among all.
    """

    whole: bool
    lower: Value | None = None
    asked: tuple[Slice, ...] = ()
    letters: bool = False
    keys: Keys | None = None

    @property
    def picked(self) -> bool:
        """Whether they say nothing of the rows that changed elsewhere."""
        return bool(self.asked or self.keys) or (self.letters and not self.whole)


@dataclass(frozen=True)
class Selection:
    """The slices to read and those whose copies they replace; None is all rows.

    Copies with a key that was read are replaced in any case.
    """

    read: Sequence[Slice | Keys] | None
    replaced: list[Slice] | None


WHOLE = Selection(None, None)


def select(source: Source, snapshot: Snapshot, contract: Contract, bounds: Bounds) -> Selection:
    """The rows that the table's mode copies from these bounds on."""
    table = contract.table
    if bounds.whole:
        return WHOLE
    if bounds.asked:
        # By its cursor a row may have left a slice of the copy for one that is not read.
        return Selection([*bounds.asked], [] if contract.is_upserted else [*bounds.asked])
    if bounds.keys or bounds.letters:
        return Selection([bounds.keys] if bounds.keys else None, [])
    changed = [] if bounds.lower is None else changed_since(contract.cursor, bounds.lower)
    if table.mode == "incremental":
        return Selection(changed, changed if table.append_only else [])
    partitions = (
        changed_partitions(source, snapshot, contract, changed)
        if changed
        else last_partitions(source, snapshot, contract)
    )
    return Selection(partitions, partitions)
