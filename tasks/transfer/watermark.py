"""The commit-proof watermark: what an incremental run reads, and how far it may move on.

Cursor values are UTC instants with microseconds; in the ledger they are ISO 8601 text.
"""

from datetime import UTC, datetime

from psycopg import sql

from tasks.config import Table
from tasks.errors import ConfigError
from tasks.source.snapshot import Floor


def lower_bound(watermark: str | None, table: Table) -> datetime | None:
    """Where an incremental read starts, or None for the whole table."""
    if table.mode != "incremental" or watermark is None:
        return None
    try:
        return datetime.fromisoformat(watermark) - table.lag
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def conditions(cursor: str, lower: datetime) -> list[sql.Composable]:
    """The two disjoint conditions of an incremental read; rows without a cursor are always read."""
    name = sql.Identifier(cursor)
    return [
        sql.SQL("{} >= {}").format(name, lower.isoformat()),
        sql.SQL("{} is null").format(name),
    ]


def next_watermark(previous: str | None, largest: datetime | None, floor: Floor) -> str | None:
    """The smallest of the largest cursor read, the oldest open transaction and the clock.

    It never moves back, never on zero rows, and not while a prepared transaction of unknown start
    is open.
    """
    if largest is None or floor.prepared:
        return previous
    reached = min(value for value in (largest, floor.oldest, floor.clock) if value is not None)
    if previous is not None:
        reached = max(reached, datetime.fromisoformat(previous))
    return reached.isoformat(timespec="microseconds")


def check_floor(floor: Floor, table: Table) -> None:
    """Refuses an incremental run whose floor is unknown, unless a lag was written by hand.

    Raises:
        ConfigError: Naming the grant or the setting that resolves it.
    """
    if floor.unknown and table.mode == "incremental" and "lag" not in table.model_fields_set:
        raise ConfigError(
            f"The watermark can't be made safe: {floor.unknown}.",
            remedy="Do that, or write a lag longer than your longest transaction, such as lag: 1h.",
            table=table.name,
        )
