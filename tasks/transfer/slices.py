"""Rows picked by the value of one column: the same ones in the source and in the warehouse.

What a night reads and what it replaces is said once, as slices, so that the two can't differ.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from psycopg import sql

from tasks.transfer.types import Field, Kind

Value = datetime | date | int | str

# First and last value that a copy can hold. PostgreSQL knows earlier and later ones, and infinity.
LIMITS: dict[Kind, tuple[Value, Value]] = {
    Kind.DATE: (date.min, date.max),
    Kind.TIMESTAMP: (datetime.min, datetime.max),
    Kind.TIMESTAMPTZ: (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}


@dataclass(frozen=True)
class Slice:
    """Rows whose field meets a condition, in SQL that PostgreSQL and the warehouses read alike.

    `condition` has {column} where the column stands, and {0}, {1} for its values.
    """

    field: Field
    condition: str
    values: tuple[Value, ...] = ()

    @property
    def at_source(self) -> sql.Composed:
        column = sql.SQL(self.condition).format(
            *map(sql.Literal, self.values), column=comparable(self.field)
        )
        return sql.SQL("({})").format(column)

    @property
    def is_range(self) -> bool:
        """Whether an index of the column can serve it: one of a text is in another order."""
        return self.field.kind is not Kind.TEXT


def bound(slices: list[Slice], column: str, mark: str = "?") -> tuple[str, list[Value]]:
    """Whether a column or expression of the warehouse is in one of the slices, and their values.

    Args:
        mark: What stands in the condition for each value.
    """
    conditions = (
        f"({each.condition.format(*(mark for _ in each.values), column=column)})" for each in slices
    )
    return f"({' or '.join(conditions)})", [value for each in slices for value in each.values]


def within(field: Field, first: Value, last: Value) -> Slice:
    """Rows from `first` to `last`, both included."""
    return Slice(field, "{column} between {0} and {1}", (first, last))


def since(field: Field, first: Value) -> Slice:
    """Rows from `first` on."""
    if field.kind in LIMITS:
        return within(field, first, LIMITS[field.kind][1])
    return Slice(field, "{column} >= {0}", (first,))


def without(field: Field) -> Slice:
    """Rows with NULL, or with what becomes NULL in a copy since it can't hold it."""
    if field.kind in LIMITS:
        outside = "{column} is null or {column} < {0} or {column} > {1}"
        return Slice(field, outside, LIMITS[field.kind])
    return Slice(field, "{column} is null")


def comparable(field: Field) -> sql.Composable:
    """The column as the source has to compare it to agree with the warehouse.

    A text is compared as it is copied and by its bytes: a collation or a type of the source (such
    as citext) may find others equal, or in another order.
    """
    name = sql.Identifier(field.name)
    return sql.SQL('{}::text collate "C"').format(name) if field.kind is Kind.TEXT else name
