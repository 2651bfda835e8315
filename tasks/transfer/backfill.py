"""The slices that a backfill publishes one by one: named the same whenever it goes on."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from psycopg import sql

from tasks.errors import ConfigError
from tasks.transfer.contract import Contract
from tasks.transfer.overwrite import asked_partitions
from tasks.transfer.selection import Bounds
from tasks.transfer.slices import LIMITS, Slice, Value, since, within, without
from tasks.transfer.types import INTEGERS, Field, Kind

ORDERED = {*INTEGERS, *LIMITS}
WHOLE, WITHOUT = "whole", "without a value"
#: Where slices end, the first and the last included; None is no end.
Cuts = list[str | None]


@dataclass(frozen=True)
class Asked:
    """What is to be filled: rows from `start` on and before `end`, partitions, or else all."""

    start: str | None = None
    end: str | None = None
    partitions: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.start is None and not self.partitions

    def __str__(self) -> str:
        if self.partitions:
            return f"partitions {', '.join(self.partitions)}"
        return WHOLE if self.is_whole else f"{self.start} to {self.end}"


@dataclass(frozen=True)
class Piece:
    """One slice of a backfill, and what is read and replaced of it."""

    name: str
    bounds: Bounds

    @property
    def at_source(self) -> sql.Composable:
        """Which rows of the source are in it."""
        wheres = [each.at_source for each in self.bounds.asked]
        return sql.SQL(" or ").join(wheres) if wheres else sql.SQL("true")


def sliced_by(contract: Contract, asked: Asked) -> Field | None:
    """The column whose ranges are filled; None where a whole table can't be cut by one.

    Raises:
        ConfigError: When a range is asked for and there is no such column.
    """
    table = contract.table
    name = table.partition_by or table.cursor
    if name is None and asked.is_whole and contract.key:
        name = contract.key[0]
    field = contract.field(name) if name else None
    if field and field.kind in ORDERED:
        return field
    if asked.start is not None:
        raise ConfigError(
            "It has no cursor, and no partition_by that has ranges.",
            remedy="Fill it with --whole, or by --partitions where it has some.",
            table=table.name,
        )
    return None


def check_asked(contract: Contract, asked: Asked) -> None:
    """Refuses what names no rows.

    Raises:
        ConfigError: When there are no such partitions, or the range is empty or not of its column.
    """
    if asked.partitions:
        asked_partitions(contract, [*asked.partitions])
    field = sliced_by(contract, asked)
    if field is None or asked.start is None or asked.end is None:
        return
    first, end = (_parsed(contract, field, text) for text in (asked.start, asked.end))
    if not first < end:  # type: ignore[operator]
        raise ConfigError(
            f"No row is from {asked.start} on and before {asked.end}.",
            remedy="Write a --to that is after --from; it is itself not filled.",
            table=contract.table.name,
        )


def cuts(
    contract: Contract, asked: Asked, ends: tuple[Value | None, Value | None], number: int
) -> Cuts:
    """Where to cut what was asked for into slices that span as much each.

    Args:
        ends: The first and the last value of the source, where the whole table is asked for.
    """
    field = sliced_by(contract, asked)
    if field is None or asked.partitions:
        return []
    if asked.start is not None and asked.end is not None:
        first, last = (_parsed(contract, field, text) for text in (asked.start, asked.end))
        between = _between(first, last, number)
        return [str(first), *(str(each) for each in between), str(last)]
    if None in ends:
        return [None, None]
    return [None, *(str(each) for each in _between(*ends, number)), None]


def pieces(contract: Contract, asked: Asked, cut: Cuts) -> list[Piece]:
    """The slices between the cuts, or the partitions that were asked for."""
    if asked.partitions:
        return [
            Piece(name, Bounds(False, asked=tuple(asked_partitions(contract, [name]))))
            for name in asked.partitions
        ]
    field = sliced_by(contract, asked)
    if field is None:
        return [Piece(WHOLE, Bounds(whole=True))]
    found = [
        Piece(
            f"{first or 'the first'} to {end or 'the last'}",
            Bounds(False, asked=(_slice(contract, field, first, end),)),
        )
        for first, end in pairwise(cut)
    ]
    if asked.is_whole:
        found.append(Piece(WITHOUT, Bounds(False, asked=(without(field),))))
    return found


def _slice(contract: Contract, field: Field, first: str | None, end: str | None) -> Slice:
    """Rows from `first` on and before `end`, as far as a copy can hold their values."""
    low, high = LIMITS.get(field.kind, (None, None))
    start = _parsed(contract, field, first) if first else low
    if end is not None:
        before = _parsed(contract, field, end)
        if start is None:
            return Slice(field, "{column} < {0}", (before,))
        return Slice(field, "{column} >= {0} and {column} < {1}", (start, before))
    if start is None:
        return Slice(field, "{column} is not null")
    return within(field, start, high) if high is not None else since(field, start)


def _between(first: Any, last: Any, number: int) -> list[Any]:
    """The inner of evenly spaced values, each once."""
    spaced = (first + (last - first) * n // number for n in range(1, number))
    return [each for each in dict.fromkeys(spaced) if first < each < last]


def _parsed(contract: Contract, field: Field, text: str) -> Value:
    try:
        if field.kind in INTEGERS:
            return int(text)
        if field.kind is Kind.DATE:
            return date.fromisoformat(text)
        given = datetime.fromisoformat(text)
        if field.kind is Kind.TIMESTAMPTZ:
            return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC)
        if given.tzinfo is None:
            return given
    except (ValueError, OverflowError):
        pass
    raise ConfigError(
        f"{text} is no value of {field.name}, a {field.kind}.",
        remedy="Write 2026-01-31, 2026-01-31T05:00 or 7, as the column's type is.",
        table=contract.table.name,
    ) from None
