"""The commit-proof watermark: what an incremental run reads, and how far it may move on.

A watermark is in its cursor's own terms, as text: ISO 8601 with microseconds, in UTC for a
timestamptz and in `cursor_timezone` for a timestamp or date; digits for an integer. Where clocks
are set back an hour, a cursor without time zone falls by an hour while time goes on; `lag`, which
is at least that (tasks/config.py), makes up for it.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks.errors import ConfigError
from tasks.source.snapshot import Floor
from tasks.table import Table
from tasks.transfer.slices import LIMITS, Slice, Value, since, without
from tasks.transfer.types import INTEGERS, Field, Kind

Mark = datetime | date | int
EXACT = timedelta()


def lower_bound(watermark: str, table: Table, cursor: Field) -> Value:
    """Where an incremental read starts: the lag before the watermark."""
    if cursor.kind in INTEGERS:
        return int(watermark) - (table.lag if isinstance(table.lag, int) else 0)
    assert isinstance(table.lag, timedelta)
    try:
        lower = datetime.fromisoformat(watermark) - table.lag
    except OverflowError:
        return LIMITS[cursor.kind][0]
    return lower.date() if cursor.kind is Kind.DATE else lower


def is_ahead(lower: Value, floor: Floor, table: Table) -> bool:
    """Whether a read would start after the source's clock, which has been set back since."""
    if isinstance(lower, datetime):
        return lower > _local(floor.clock, table)
    return isinstance(lower, date) and lower > _local(floor.clock, table).date()


def changed_since(cursor: Field, lower: Value) -> list[Slice]:
    """The two disjoint slices of an incremental read; rows without a cursor are always read."""
    return [since(cursor, lower), without(cursor)]


def next_watermark(
    previous: str | None,
    largest: Mark | None,
    floor: Floor,
    table: Table,
    rounding: timedelta = EXACT,
) -> str | None:
    """The smallest of the largest cursor read, the oldest open transaction and the clock.

    It never moves back, never on zero rows, and not while a prepared transaction of unknown start
    is open. An integer cursor knows no time, so that its largest value is all there is.

    Args:
        rounding: By how much the cursor's type may round a transaction's start down.
    """
    if largest is None:
        return previous
    if isinstance(largest, int):
        return str(largest if previous is None else max(largest, int(previous)))
    if floor.prepared:
        return previous
    # Nothing below this can commit any more.
    possible = _local(min(floor.clock, floor.oldest or floor.clock) - rounding, table)
    if isinstance(largest, datetime):
        reached = min(largest, possible).isoformat(timespec="microseconds")
    else:
        reached = min(largest, possible.date()).isoformat()
    # Both are spelled alike, in digits of fixed width.
    return reached if previous is None else max(reached, previous)


def check_floor(floor: Floor, table: Table) -> None:
    """Refuses a watermark whose floor is unknown, unless a lag was written by hand.

    Raises:
        ConfigError: Naming the grant or the setting that resolves it.
    """
    if floor.unknown and table.cursor and "lag" not in table.model_fields_set:
        raise ConfigError(
            f"The watermark can't be made safe: {floor.unknown}.",
            remedy=f"{floor.remedy}, or write a lag longer than your longest transaction,"
            " such as lag: 1h.",
            table=table.name,
        )


def _local(instant: datetime, table: Table) -> datetime:
    """An instant on the clock of the cursor."""
    if table.cursor_timezone is None:
        return instant
    return instant.astimezone(ZoneInfo(table.cursor_timezone)).replace(tzinfo=None)
