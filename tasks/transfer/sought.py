"""What to read of the source to meet the rows of dead letters again.

Rows with a key are found by its hash, and others with all rows that share their partition or
cursor, which are replaced as a whole so that none is doubled.
"""

from datetime import UTC, date, datetime, timedelta

from tasks.transfer.key_hash import INSTANTS
from tasks.transfer.overwrite import MOST_PARTITIONS
from tasks.transfer.selection import Bounds
from tasks.transfer.slices import Slice, Value, within, without
from tasks.transfer.source_keys import Keys
from tasks.transfer.types import INTEGERS, Field, Kind

EPOCH = datetime(1970, 1, 1)
#: More than these are sought among all rows.
MOST_KEYS = 100_000
#: All rows are read, and those that have a key replace its copy.
AMONG_ALL = Bounds(whole=False, letters=True)


def by_keys(key: list[Field], hashes: list[int | None]) -> Bounds:
    """The rows with these keys; where one of them has no hash, all rows."""
    known = [each for each in hashes if each is not None]
    if len(known) < len(hashes) or len(known) > MOST_KEYS:
        return AMONG_ALL
    return Bounds(whole=False, letters=True, keys=Keys(tuple(key), tuple(known)))


def by_values(field: Field, texts: list[str | None]) -> Bounds:
    """The rows with these values of a partition or cursor; a span, where they are very many."""
    found = {None if text is None else value_of(field, text) for text in texts}
    values = sorted(value for value in found if value is not None)
    slices = [within(field, value, value) for value in values]
    if len(slices) > MOST_PARTITIONS:
        slices = [within(field, values[0], values[-1])]
    if None in found:
        slices.append(without(field))
    return Bounds(whole=False, letters=True, asked=(*slices,) or (Slice(field, "false"),))


def value_of(field: Field, text: str) -> Value | None:
    """A value from the text that keys are hashed from; None for one that a copy can't hold."""
    if field.kind in INTEGERS:
        return int(text)
    try:
        if field.kind is Kind.DATE:
            return date.fromisoformat(text)
        if field.kind in INSTANTS:
            instant = EPOCH + timedelta(microseconds=int(text))
            return instant.replace(tzinfo=UTC) if field.kind is Kind.TIMESTAMPTZ else instant
    except (ValueError, OverflowError):
        return None
    return text
