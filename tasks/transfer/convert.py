"""A chunk as read turned into one of its fields' types.

A value that its type can't hold becomes NULL here and is told apart from a NULL by counting, so
that the screen can treat it by the table's `unrepresentable` setting. Figures of a whole column
come first; values are looked at one by one only where something is off.
"""

from collections.abc import Iterator
from datetime import date, datetime

import polars as pl
import pyarrow as pa

from tasks.transfer.parse import STRING, parsed
from tasks.transfer.types import MARK, MOST_DIGITS, Field, Kind

EPOCH = date(1970, 1, 1)
FIRST_DAY = (date(1, 1, 1) - EPOCH).days
LAST_DAY = (date(9999, 12, 31) - EPOCH).days
MICROSECONDS_A_DAY = 86_400_000_000
INSTANTS = {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
# With its point, a number of 38 digits has 39 characters, of which a 0 in front may be one.
LONG_NUMBER = rf"[0-9]{{{MOST_DIGITS + 1}}}|[0-9.]{{{MOST_DIGITS + 2}}}"
# A number in scientific notation may become a float, which holds 15 digits and exponents to 308.
EXPONENT = r"[0-9][eE]"
INEXACT = r"(?:[0-9]\.?){16}[eE]|[0-9][eE][+-]?0*(?:29[0-9]|[3-9][0-9]{2}|[1-9][0-9]{3})"
NUL = r"\u0000"


def convert(read: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """Turns a chunk as read into one of the fields' types; what they can't hold becomes NULL."""
    wanted = [
        expression
        for field in fields
        if (expression := _conversion(read[field.name], field)) is not None
    ]
    return read.with_columns(wanted) if wanted else read


def unconverted(read: pl.DataFrame, converted: pl.DataFrame, field: Field) -> pl.Series | None:
    """Which rows lost their value in `convert`; None when no row did, found by counting NULLs."""
    before, after = read[field.name], converted[field.name]
    if before.null_count() == after.null_count():
        return None
    return before.is_not_null() & after.is_null()


def limits_of(kind: pl.DataType) -> tuple[int, int]:
    """First and last value of the years 1 to 9999, in the type's own integers."""
    if kind == pl.Date:
        return FIRST_DAY, LAST_DAY
    return FIRST_DAY * MICROSECONDS_A_DAY, (LAST_DAY + 1) * MICROSECONDS_A_DAY - 1


def largest(chunk: pl.DataFrame, cursor: str) -> datetime | date | int | None:
    """The largest cursor of a converted chunk; None when no row has one."""
    value = chunk[cursor].max()
    assert value is None or isinstance(value, datetime | date | int)
    return value


def _conversion(values: pl.Series, field: Field) -> pl.Expr | None:
    """What makes a column one of its field; None where it is one as it was read."""
    made = _made(field)
    held = [*_held(values, field)]
    if made is None and not held:
        return None
    expression = pl.col(field.name) if made is None else made
    return pl.when(pl.all_horizontal(held)).then(expression) if held else expression


def _made(field: Field) -> pl.Expr | None:
    column = pl.col(field.name)
    if field.is_declared:
        return parsed(field)
    if field.kind is Kind.DECIMAL:
        # The column's own type has rounded already: every text has exactly `scale` digits.
        decimal = column.str.to_decimal(scale=field.scale)
        return decimal.cast(pl.Decimal(field.precision, field.scale), strict=False)
    if field.kind is Kind.TIME:
        return column.str.to_time("%H:%M:%S%.f", strict=False)
    return None


def _held(values: pl.Series, field: Field) -> Iterator[pl.Expr]:
    """Conditions that a value as read must meet; those that all of them meet are left out."""
    column = pl.col(field.name)
    if field.arrays and values.str.starts_with(MARK).any():
        yield ~column.str.starts_with(MARK)
    if field.kind in INSTANTS and not field.is_declared:
        low, high = limits_of(values.dtype)
        if not values.to_physical().is_between(low, high).all():
            yield column.to_physical().is_between(low, high)
    if (most := field.most_bytes) is not None:
        longest = values.to_frame().select(_size(field).max()).item()
        if longest is not None and longest > most:
            yield _size(field) <= most
    if field.kind is Kind.JSON and field.limits.exact_json:
        yield from _exact_json(values, field)


def _exact_json(values: pl.Series, field: Field) -> Iterator[pl.Expr]:
    column = pl.col(field.name)
    if may_have_long_number(values):
        yield ~column.str.replace_all(STRING, "").str.contains(LONG_NUMBER)
    # Only a text that PostgreSQL has not read as jsonb can have these.
    if field.is_declared and values.str.contains(EXPONENT).any():
        yield ~column.str.replace_all(STRING, "").str.contains(INEXACT)
    if field.is_declared and values.str.contains(NUL, literal=True).any():
        yield ~column.str.replace_all(r"\\\\", "").str.contains(NUL, literal=True)


def may_have_long_number(texts: pl.Series) -> bool:
    """Whether one of the texts might hold a number of more than 38 digits.

    Such a number fills four words of eight bytes with nothing but 0x20 to 0x3F, among them one of
    digits alone, wherever it begins. Words are compared five times as fast as texts are searched.
    """
    buffer = texts.to_arrow().buffers()[2]
    if buffer is None:
        return False
    words = pl.from_arrow(pa.Array.from_buffers(pa.uint64(), buffer.size // 8, [None, buffer]))
    assert isinstance(words, pl.Series)
    digits = (words & 0xF0F0F0F0F0F0F0F0) == 0x3030303030303030
    if not digits.any():
        return False
    return bool(texts.str.contains(LONG_NUMBER).any())


def _size(field: Field) -> pl.Expr:
    column = pl.col(field.name)
    return column.bin.size() if field.kind is Kind.BINARY else column.str.len_bytes()
