"""The partitions of a table: which ones a night rewrites, each as a slice.

A partition is a day (or another unit) of a date or timestamp, a value of an integer or text, or
NULL. A timestamp with time zone is cut in UTC.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from psycopg import sql

from tasks.errors import ConfigError
from tasks.source.connection import Source
from tasks.source.read import fetch
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.slices import LIMITS, Slice, Value, comparable, since, within, without
from tasks.transfer.types import INTEGERS, Field, Kind

NULL = "NULL"
# More than these are rewritten with all the others.
MOST_PARTITIONS = 1000
HOUR = timedelta(hours=1, microseconds=-1)


def asked_partitions(contract: Contract, names: list[str]) -> list[Slice]:
    """The partitions named on the command line; NULL stands for the one without a value.

    Raises:
        ConfigError: When the table has no partitions, or a name is none of its column's type.
    """
    if contract.table.partition_by is None:
        raise ConfigError(
            "It has no partitions, since its mode is not partition_overwrite.",
            remedy="Name those that have by --tables.",
            table=contract.table.name,
        )
    field = contract.field(contract.table.partition_by)
    values = (None if name == NULL else _parsed(contract, field, name) for name in names)
    # Two names may fall into one partition.
    return list(dict.fromkeys(partition_of(contract, value) for value in values))


def changed_partitions(
    source: Source, snapshot: Snapshot, contract: Contract, changed: list[Slice]
) -> list[Slice] | None:
    """The partitions of the source rows in the changed slices; None when they are too many."""
    query = sql.SQL("select distinct {} from {} where {} limit {}").format(
        _value(contract),
        sql.Identifier(contract.relation.schema, contract.relation.name),
        sql.SQL(" or ").join(each.at_source for each in changed),
        MOST_PARTITIONS + 1,
    )
    found = fetch(source, snapshot, contract.table.name, query.as_string())
    if len(found) > MOST_PARTITIONS:
        return None
    return [partition_of(contract, value) for (value,) in found]


def last_partitions(source: Source, snapshot: Snapshot, contract: Contract) -> list[Slice] | None:
    """The last `partitions` of the source and all that the warehouse has after them, and NULL.

    None when no row of the source has a partition.
    """
    query = sql.SQL(
        "select {value} from {relation} group by 1 having {value} is not null"
        " order by 1 desc limit {limit}"
    ).format(
        value=_value(contract),
        relation=sql.Identifier(contract.relation.schema, contract.relation.name),
        limit=contract.table.partitions,
    )
    found = fetch(source, snapshot, contract.table.name, query.as_string())
    if not found:
        return None
    field = contract.field(contract.table.partition_by)
    return [since(field, found[-1][0]), without(field)]


def _value(contract: Contract) -> sql.Composable:
    """What the rows of a partition have in common; NULL also where a copy holds no value."""
    field = contract.field(contract.table.partition_by)
    if field.kind not in LIMITS:
        return comparable(field)
    return sql.SQL("case when {} then date_trunc({}, {})::{} end").format(
        within(field, *LIMITS[field.kind]).at_source,
        contract.table.partition_unit,
        comparable(field),
        sql.SQL(field.kind.value),
    )


def partition_of(contract: Contract, value: Value | None) -> Slice:
    field = contract.field(contract.table.partition_by)
    if value is None:
        return without(field)
    if isinstance(value, date):
        return within(field, *span(value, contract.table.partition_unit))
    return within(field, value, value)


def span(value: date, unit: str) -> tuple[date, date]:
    """The first and last value of the unit that holds a date or timestamp."""
    if isinstance(value, datetime):
        if unit == "hour":
            first = value.replace(minute=0, second=0, microsecond=0)
            return first, first + HOUR
        days = span(value.date(), unit)
        return (
            datetime.combine(days[0], time.min, value.tzinfo),
            datetime.combine(days[1], time.max, value.tzinfo),
        )
    if unit == "year":
        return value.replace(month=1, day=1), value.replace(month=12, day=31)
    if unit == "month":
        return value.replace(day=1), value.replace(day=monthrange(value.year, value.month)[1])
    return value, value


def _parsed(contract: Contract, field: Field, text: str) -> Value:
    try:
        if field.kind in INTEGERS:
            return int(text)
        if field.kind is Kind.DATE:
            return date.fromisoformat(text)
        if field.kind is Kind.TIMESTAMPTZ:
            given = datetime.fromisoformat(text)
            return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC)
        if field.kind is Kind.TIMESTAMP:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M" if "T" in text else "%Y-%m-%d")
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--partitions names {text}, and {field.name} is a {field.kind}.",
            remedy=f"Write 2026-01-31, 2026-01-31T05:00, 7 or {NULL}, as the column's type is.",
            table=contract.table.name,
        ) from None
    return text
