"""The one mapping from PostgreSQL's types to what a chunk and a warehouse hold.

Only the types of `NATIVE` are read as they are; everything else is cast to text in the SELECT,
because the Arrow driver changes it silently (24:00 becomes NULL, money becomes cents, arrays are
flattened). A value that its type can't hold becomes NULL here and is told apart from a NULL by
counting, so that the screen can treat it by the table's `unrepresentable` setting.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import polars as pl
from psycopg import sql

from tasks.source.catalog import Column
from tasks.transfer.masks import Mask

EPOCH = date(1970, 1, 1)
FIRST_DAY = (date(1, 1, 1) - EPOCH).days
LAST_DAY = (date(9999, 12, 31) - EPOCH).days
MICROSECONDS_A_DAY = 86_400_000_000
SECOND = "%Y-%m-%d %H:%M:%S"
# What the driver makes of infinity, which PostgreSQL sends as the largest and smallest integer.
INFINITE_DAYS = {-2147472692: "infinity", -2147472691: "-infinity"}
INFINITE_MICROSECONDS = {-9222425352054775809: "infinity", -9222425352054775808: "-infinity"}


class Kind(StrEnum):
    """What a column holds, whatever the warehouse calls it."""

    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    DECIMAL = "decimal"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOLEAN = "boolean"
    TEXT = "text"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    TIME = "time"
    UUID = "uuid"
    JSON = "json"


INTEGERS = {Kind.INT16, Kind.INT32, Kind.INT64}
NATIVE = {
    "int2": Kind.INT16,
    "int4": Kind.INT32,
    "int8": Kind.INT64,
    "float4": Kind.FLOAT32,
    "float8": Kind.FLOAT64,
    "bool": Kind.BOOLEAN,
    "text": Kind.TEXT,
    "varchar": Kind.TEXT,
    "bytea": Kind.BINARY,
    "date": Kind.DATE,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
}
AS_TEXT = {"time": Kind.TIME, "uuid": Kind.UUID, "jsonb": Kind.JSON}
NUMBERS = {
    Kind.INT16: pl.Int16(),
    Kind.INT32: pl.Int32(),
    Kind.INT64: pl.Int64(),
    Kind.FLOAT32: pl.Float32(),
    Kind.FLOAT64: pl.Float64(),
}
# Arrays and composites by pg_type.typcategory; hstore is a type of its own.
AS_JSON_CATEGORIES = {"A", "C"}


@dataclass(frozen=True)
class Field:
    """One column in flight; precision and scale are those of a DECIMAL.

    A masked one is read and stays text.
    """

    name: str
    kind: Kind
    precision: int = 0
    scale: int = 0
    read_as: str = "native"
    mask: Mask | None = None

    @property
    def select(self) -> sql.Composable:
        """How the SELECT reads it."""
        name = sql.Identifier(self.name)
        forms = {
            "native": sql.SQL("{}"),
            "text": sql.SQL("{}::text as {}"),
            "json": sql.SQL("to_json({})::text as {}"),
        }
        return forms[self.read_as].format(name, name)


def field_of(column: Column) -> Field:
    """The field a source column becomes."""
    if kind := NATIVE.get(column.type):
        return Field(column.name, kind)
    if kind := AS_TEXT.get(column.type):
        return Field(column.name, kind, read_as="text")
    if column.type == "numeric" and column.modifier >= 4:
        # numeric's typmod, src/backend/utils/adt/numeric.c: precision << 16 | scale (11 bits), + 4.
        precision = (column.modifier - 4) >> 16
        scale = (((column.modifier - 4) & 0x7FF) ^ 1024) - 1024
        if precision <= 38 and 0 <= scale <= min(precision, 37):
            return Field(column.name, Kind.DECIMAL, precision, scale, "text")
    if column.category in AS_JSON_CATEGORIES or column.type == "hstore":
        return Field(column.name, Kind.JSON, read_as="json")
    return Field(column.name, Kind.TEXT, read_as="text")


def convert(read: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """Turns a chunk as read into one of the fields' types; what they can't hold becomes NULL."""
    wanted = [
        expression for field in fields if (expression := _conversion(read, field)) is not None
    ]
    return read.with_columns(wanted) if wanted else read


def parse(values: pl.Series, field: Field) -> pl.Series:
    """Configured texts as `convert` would give them; NULL where the field can't hold one.

    Bytes are spelled in hex, times of a timestamptz with their zone: 2026-01-31 09:30:00+01:00.
    """
    column = pl.col(field.name)
    forms = {kind: column.cast(number, strict=False) for kind, number in NUMBERS.items()} | {
        Kind.BOOLEAN: column.replace_strict({"true": True, "false": False}, default=None),
        Kind.BINARY: column.str.decode("hex", strict=False),
        Kind.DATE: column.str.to_date("%Y-%m-%d", strict=False),
        Kind.TIMESTAMP: column.str.to_datetime(f"{SECOND}%.f", time_unit="us", strict=False),
        Kind.TIMESTAMPTZ: column.str.to_datetime(f"{SECOND}%.f%#z", time_unit="us", strict=False),
        Kind.UUID: column.str.to_lowercase(),
    }
    read = pl.DataFrame({field.name: values})
    if field.kind in forms:
        return read.select(forms[field.kind]).to_series()
    return convert(read, [field])[field.name]


def unconverted(read: pl.DataFrame, converted: pl.DataFrame, field: Field) -> pl.Series | None:
    """Which rows lost their value in `convert`; None when no row did, found by counting NULLs."""
    before, after = read[field.name], converted[field.name]
    if before.null_count() == after.null_count():
        return None
    return before.is_not_null() & after.is_null()


def as_text(read: pl.DataFrame, field: Field) -> pl.Expr:
    """A readable spelling of a column as read, for dead letters."""
    column = pl.col(field.name)
    kind = read.schema[field.name]
    if kind == pl.Binary:
        return column.bin.encode("hex").alias(field.name)
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        infinite = INFINITE_DAYS if kind == pl.Date else INFINITE_MICROSECONDS
        physical = column.to_physical()
        inside = physical.is_between(*_limits(kind))
        spelled = pl.when(inside).then(column).cast(pl.String)
        special = physical.replace_strict(
            infinite, default="outside the years 1 to 9999", return_dtype=pl.String
        )
        return pl.when(column.is_null() | inside).then(spelled).otherwise(special).alias(field.name)
    return column.cast(pl.String)


def _conversion(read: pl.DataFrame, field: Field) -> pl.Expr | None:
    column = pl.col(field.name)
    if field.kind is Kind.DECIMAL:
        # The column's own type has rounded already: every text has exactly `scale` digits.
        decimal = column.str.to_decimal(scale=field.scale)
        return decimal.cast(pl.Decimal(field.precision, field.scale), strict=False)
    if field.kind is Kind.TIME:
        return column.str.to_time("%H:%M:%S%.f", strict=False)
    if field.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        physical = read[field.name].to_physical()
        low, high = _limits(read.schema[field.name])
        if not physical.is_between(low, high).all():
            return pl.when(column.to_physical().is_between(low, high)).then(column)
    return None


def _limits(kind: pl.DataType) -> tuple[int, int]:
    """First and last value of the years 1 to 9999, in the type's own integers."""
    if kind == pl.Date:
        return FIRST_DAY, LAST_DAY
    return FIRST_DAY * MICROSECONDS_A_DAY, (LAST_DAY + 1) * MICROSECONDS_A_DAY - 1


def largest(chunk: pl.DataFrame, cursor: str) -> datetime | date | int | None:
    """The largest cursor of a converted chunk; None when no row has one."""
    value = chunk[cursor].max()
    assert value is None or isinstance(value, datetime | date | int)
    return value
