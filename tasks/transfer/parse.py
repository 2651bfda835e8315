"""Texts read as values of a type: those of a configuration, and of columns declared as another.

A text that is not exactly a value of the type is NULL: nothing is rounded, cut off or guessed.
"""

from collections.abc import Callable
from functools import partial

import polars as pl

from tasks.transfer.types import Field, Kind

SECOND = "%Y-%m-%d %H:%M:%S"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
MOMENT = r"[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6})?"
MIDNIGHT = " 00:00:00"
INTEGER = r"^-?[0-9]+(\.0*)?$"
BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
# Digits that a float keeps whatever they are, and its smallest number with all of them.
FLOATS = {Kind.FLOAT32: (pl.Float32(), 6, 1.2e-38), Kind.FLOAT64: (pl.Float64(), 15, 2.3e-308)}
INTEGERS: dict[Kind, pl.DataType] = {
    Kind.INT16: pl.Int16(),
    Kind.INT32: pl.Int32(),
    Kind.INT64: pl.Int64(),
}
STRING = r'"(?:[^"\\]|\\.)*"'


def parse(values: pl.Series, field: Field) -> pl.Series:
    """Texts as values of a field; NULL where it can't hold one.

    They are spelled as PostgreSQL does, such as \\x00ff and 2026-01-31 09:30:00+01:00; instants
    may be in ISO 8601 as well.
    """
    return pl.DataFrame({field.name: values}).select(parsed(field)).to_series()


def parsed(field: Field) -> pl.Expr:
    """`parse` for a column of a chunk."""
    text = pl.col(field.name)
    if field.kind in FLOATS:
        return _float(text, field.kind)
    if field.kind is Kind.DECIMAL:
        return _decimal(text, field.precision, field.scale)
    return READERS[field.kind](text)


def _decimal(text: pl.Expr, precision: int, scale: int) -> pl.Expr:
    # Zeros say nothing at either end, and all other digits need their place.
    fits = rf"^-?0*[0-9]{{0,{precision - scale}}}(\.[0-9]{{0,{scale}}}0*)?$"
    digits = pl.when(text.str.contains(fits)).then(text)
    return digits.str.to_decimal(scale=scale).cast(pl.Decimal(precision, scale), strict=False)


def _integer(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    whole = pl.when(text.str.contains(INTEGER)).then(text.str.replace(r"\..*$", ""))
    return whole.cast(dtype, strict=False)


def _float(text: pl.Expr, kind: Kind) -> pl.Expr:
    dtype, most, smallest = FLOATS[kind]
    number = text.cast(dtype, strict=False)
    written = text.str.replace(r"[eE].*$", "").str.replace_all(r"[-+.]", "")
    digits = written.str.strip_chars("0").str.len_bytes()
    exact = (digits <= most) & (number.abs() >= smallest) & number.is_finite()
    special = text.is_in(["NaN", "Infinity", "-Infinity"])
    return pl.when(exact | special | (digits == 0)).then(number)


def _binary(text: pl.Expr) -> pl.Expr:
    marked = pl.when(text.str.starts_with(r"\x")).then(text.str.slice(2))
    return marked.str.decode("hex", strict=False)


def _date(text: pl.Expr) -> pl.Expr:
    day = text.str.strip_suffix(MIDNIGHT)
    return _since_1(_matching(day, DAY).str.to_date("%Y-%m-%d", strict=False))


def _timestamp(text: pl.Expr) -> pl.Expr:
    day = text.str.contains(f"^{DAY}$")
    instant = _matching(pl.when(day).then(text + MIDNIGHT).otherwise(text), f"{DAY}[ T]{MOMENT}")
    return _since_1(_instant(instant, "%.f"))


def _timestamptz(text: pl.Expr) -> pl.Expr:
    zone = "(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
    return _since_1(_instant(_matching(text, f"{DAY}[ T]{MOMENT}{zone}"), "%.f%#z"))


def _time(text: pl.Expr) -> pl.Expr:
    return _matching(text, MOMENT).str.to_time("%H:%M:%S%.f", strict=False)


def _uuid(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    return pl.when(lower.str.contains(UUID)).then(lower)


def _json(text: pl.Expr) -> pl.Expr:
    # What can't be read is NULL here, and so is null. Written anew it has each key once, so that
    # fewer colons are left where one was repeated.
    written = text.str.json_path_match("$")
    single = written.is_not_null() & ~text.str.contains(r"^\s*[\[{]")
    unique = _colons(written) == _colons(text)
    return pl.when(single | unique | text.str.contains(r"^\s*null\s*$")).then(text)


def _colons(json: pl.Expr) -> pl.Expr:
    return json.str.replace_all(STRING, "").str.count_matches(":", literal=True)


def _instant(text: pl.Expr, rest: str) -> pl.Expr:
    return text.str.replace("T", " ", literal=True).str.to_datetime(
        SECOND + rest, time_unit="us", strict=False
    )


def _since_1(instant: pl.Expr) -> pl.Expr:
    """Without the years before 1, which a zone may lead to as well; 9999 is the last anyway."""
    return pl.when(instant.dt.year().is_between(1, 9999)).then(instant)


def _matching(text: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(text.str.contains(f"^{pattern}$")).then(text)


READERS: dict[Kind, Callable[[pl.Expr], pl.Expr]] = {
    **{kind: partial(_integer, dtype=dtype) for kind, dtype in INTEGERS.items()},
    Kind.BOOLEAN: lambda text: text.replace_strict(BOOLEANS, default=None),
    Kind.TEXT: lambda text: text,
    Kind.BINARY: _binary,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamptz,
    Kind.TIME: _time,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
}
