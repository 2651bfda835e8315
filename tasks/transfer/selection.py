"""Which rows a night copies: decided on the snapshot, the same for reading and for replacing."""

from dataclasses import dataclass

from tasks.source.connection import Source
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.overwrite import changed_partitions, last_partitions
from tasks.transfer.slices import Slice, Value
from tasks.transfer.watermark import changed_since


@dataclass(frozen=True)
class Bounds:
    """What an attempt starts from: the whole table, or `lower`, or partitions that were asked for.

    `lower` is the cursor's first value to read, where the table has a cursor.
    """

    whole: bool
    lower: Value | None = None
    asked: tuple[Slice, ...] = ()


@dataclass(frozen=True)
class Selection:
    """The slices to read and those whose copies they replace; None is all rows.

    Copies with a key that was read are replaced in any case.
    """

    read: list[Slice] | None
    replaced: list[Slice] | None


WHOLE = Selection(None, None)


def select(source: Source, snapshot: Snapshot, contract: Contract, bounds: Bounds) -> Selection:
    """The rows that the table's mode copies from these bounds on."""
    table = contract.table
    if bounds.whole:
        return WHOLE
    changed = [] if bounds.lower is None else changed_since(contract.cursor, bounds.lower)
    if table.mode == "incremental":
        return Selection(changed, changed if table.append_only else [])
    if bounds.asked:
        return Selection([*bounds.asked], [*bounds.asked])
    partitions = (
        changed_partitions(source, snapshot, contract, changed)
        if changed
        else last_partitions(source, snapshot, contract)
    )
    return Selection(partitions, partitions)
