"""Values as read, spelled so that a person can read them: what dead letters and errors show."""

import polars as pl

from tasks.transfer.convert import MICROSECONDS_A_DAY, limits_of
from tasks.transfer.types import MARK, Field

#: Characters of a text that are shown of it.
SHOWN = 100_000
# What the driver makes of infinity, which PostgreSQL sends as the largest and smallest integer.
INFINITE_DAYS = {-2147472692: "infinity", -2147472691: "-infinity"}
INFINITE_MICROSECONDS = {-9222425352054775809: "infinity", -9222425352054775808: "-infinity"}
# PostgreSQL's first timestamp is in 4714 BC; what seems to be long before is one after 294246,
# which has no place in 64 bits of microseconds since 1970.
WRAPPED = -300_000_000_000_000_000
DAYS_IN_400_YEARS = 146_097
# From the first of March of the year 0, after which leap days end a year, to 1970.
DAYS_TO_1970 = 719_468


def as_text(read: pl.DataFrame, field: Field) -> pl.Expr:
    """A readable spelling of a column as read; long texts end with their size."""
    column = pl.col(field.name)
    kind = read.schema[field.name]
    if kind == pl.Binary:
        return _cut(column.bin.encode("hex"))
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return _instant(read[field.name], kind).alias(field.name)
    if kind == pl.String:
        text = column.str.strip_prefix(MARK) if field.arrays else column
        return _cut(text)
    return column.cast(pl.String)


def _cut(text: pl.Expr) -> pl.Expr:
    bytes_ = text.str.len_bytes()
    short = text.str.head(SHOWN) + "... (" + bytes_.cast(pl.String) + " bytes)"
    return pl.when(bytes_ > SHOWN).then(short).otherwise(text)


def _instant(values: pl.Series, kind: pl.DataType) -> pl.Expr:
    """In the years 1 to 9999 as Polars spells it, else as PostgreSQL does."""
    column = pl.col(values.name)
    physical = column.to_physical()
    inside = physical.is_between(*limits_of(kind))
    infinite = INFINITE_DAYS if kind == pl.Date else INFINITE_MICROSECONDS
    special = physical.replace_strict(infinite, default=None, return_dtype=pl.String)
    spelled = pl.when(inside).then(column).cast(pl.String)
    if values.is_null().all() or values.to_physical().is_between(*limits_of(kind)).all():
        return spelled
    return pl.coalesce(spelled, special, _far(physical, kind))


def _far(physical: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Date:
        return _day(physical.cast(pl.Int64), pl.lit(""))
    assert isinstance(kind, pl.Datetime)
    wide = physical.cast(pl.Int128)
    wide = pl.when(wide < WRAPPED).then(wide + pl.lit(2**64, pl.Int128)).otherwise(wide)
    day = wide // MICROSECONDS_A_DAY
    nanoseconds = (wide - day * MICROSECONDS_A_DAY).cast(pl.Int64) * 1000
    clock = nanoseconds.cast(pl.Time).dt.to_string("%H:%M:%S%.6f").str.strip_chars_end("0")
    zone = "+00" if kind.time_zone else ""
    return _day(day.cast(pl.Int64), " " + clock.str.strip_suffix(".") + zone)


def _day(since_1970: pl.Expr, clock: pl.Expr) -> pl.Expr:
    """A day of the Gregorian calendar, which PostgreSQL extends both ways without a year 0.

    The years here begin in March; https://howardhinnant.github.io/date_algorithms.html.
    """
    days = since_1970 + DAYS_TO_1970
    era = days // DAYS_IN_400_YEARS
    day = days - era * DAYS_IN_400_YEARS
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    date = day - (153 * month + 2) // 5 + 1
    month = pl.when(month < 10).then(month + 3).otherwise(month - 9)
    year = year + era * 400 + (month <= 2)
    before = year <= 0
    # Not by pl.format, which panics where a chunk of several is empty.
    parts = [(pl.when(before).then(1 - year).otherwise(year), 4), (month, 2), (date, 2)]
    spelled = [part.cast(pl.String).str.zfill(width) for part, width in parts]
    era_name = pl.when(before).then(pl.lit(" BC")).otherwise(pl.lit(""))
    return spelled[0] + "-" + spelled[1] + "-" + spelled[2] + clock + era_name
