"""The mapping of types and the conversion of values."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from psycopg import sql

from tasks.source.catalog import Column
from tasks.transfer.types import (
    FIRST_DAY,
    INFINITE_DAYS,
    INFINITE_MICROSECONDS,
    LAST_DAY,
    MICROSECONDS_A_DAY,
    Field,
    Kind,
    as_text,
    convert,
    field_of,
    largest,
    unconverted,
)

TIMESTAMP, TIMESTAMPTZ = pl.Datetime("us"), pl.Datetime("us", "UTC")
FIRST_MOMENT = FIRST_DAY * MICROSECONDS_A_DAY
LAST_MOMENT = (LAST_DAY + 1) * MICROSECONDS_A_DAY - 1


def column(type_: str, category: str = "U", modifier: int = -1) -> Column:
    return Column("x", 1, type_, type_, modifier, category, False, False)


def typmod(precision: int, scale: int) -> int:
    """numeric's type modifier, as PostgreSQL packs it."""
    return (precision << 16 | scale & 0x7FF) + 4


def frame(values: list[Any], dtype: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """A chunk of one column, from values as the source's integers where it is a time."""
    if dtype == pl.Date:
        return pl.DataFrame({"x": pl.Series(values, dtype=pl.Int32).cast(pl.Date)})
    if isinstance(dtype, pl.Datetime):
        return pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64).cast(dtype)})
    return pl.DataFrame({"x": pl.Series(values, dtype=dtype)})


@pytest.mark.parametrize(
    ("type_", "category", "kind", "read_as"),
    [
        ("int2", "N", Kind.INT16, "native"),
        ("int4", "N", Kind.INT32, "native"),
        ("int8", "N", Kind.INT64, "native"),
        ("float4", "N", Kind.FLOAT32, "native"),
        ("float8", "N", Kind.FLOAT64, "native"),
        ("bool", "B", Kind.BOOLEAN, "native"),
        ("text", "S", Kind.TEXT, "native"),
        ("varchar", "S", Kind.TEXT, "native"),
        ("bytea", "U", Kind.BINARY, "native"),
        ("date", "D", Kind.DATE, "native"),
        ("timestamp", "D", Kind.TIMESTAMP, "native"),
        ("timestamptz", "D", Kind.TIMESTAMPTZ, "native"),
        ("time", "D", Kind.TIME, "text"),
        ("uuid", "U", Kind.UUID, "text"),
        ("jsonb", "U", Kind.JSON, "text"),
        ("json", "U", Kind.TEXT, "text"),
        ("_int4", "A", Kind.JSON, "json"),
        ("address", "C", Kind.JSON, "json"),
        ("hstore", "U", Kind.JSON, "json"),
        ("numeric", "N", Kind.TEXT, "text"),
        ("mood", "E", Kind.TEXT, "text"),
        *[
            (name, "U", Kind.TEXT, "text")
            for name in ("timetz", "interval", "inet", "bit", "money", "oid", "xml", "bpchar")
        ],
    ],
)
def test_each_postgresql_type_has_its_kind_and_reading(
    type_: str, category: str, kind: Kind, read_as: str
) -> None:
    assert field_of(column(type_, category)) == Field("x", kind, read_as=read_as)


@pytest.mark.parametrize(
    ("precision", "scale"), [(1, 0), (10, 2), (5, 5), (38, 0), (38, 37), (37, 37)]
)
def test_a_numeric_that_fits_is_a_decimal_of_its_digits(precision: int, scale: int) -> None:
    field = field_of(column("numeric", "N", typmod(precision, scale)))
    assert field == Field("x", Kind.DECIMAL, precision, scale, "text")


@pytest.mark.parametrize(
    ("precision", "scale"), [(39, 0), (38, 38), (1000, 2), (5, -2), (3, 5), (1000, -1000)]
)
def test_a_numeric_that_does_not_fit_is_text(precision: int, scale: int) -> None:
    field = field_of(column("numeric", "N", typmod(precision, scale)))
    assert field == Field("x", Kind.TEXT, read_as="text")


@pytest.mark.parametrize(
    ("read_as", "expected"),
    [
        ("native", '"a""b"'),
        ("text", '"a""b"::text as "a""b"'),
        ("json", 'to_json("a""b")::text as "a""b"'),
    ],
)
def test_a_field_is_selected_under_its_own_quoted_name(read_as: str, expected: str) -> None:
    selected = Field('a"b', Kind.TEXT, read_as=read_as).select
    assert sql.SQL("{}").format(selected).as_string() == expected


@pytest.mark.parametrize(
    ("precision", "scale", "values"),
    [
        (5, 2, ["1.50", "-0.01", None, "999.99", "0.00"]),
        (38, 0, ["9" * 38, "-" + "9" * 38, "0"]),
        (38, 37, ["9." + "9" * 37, "-9." + "9" * 37]),
        (38, 10, ["9" * 28 + "." + "9" * 10, "0.0000000001"]),
        (5, 2, []),
        (5, 2, [None, None]),
    ],
)
def test_a_decimal_arrives_digit_for_digit(
    precision: int, scale: int, values: list[str | None]
) -> None:
    field = Field("x", Kind.DECIMAL, precision, scale, "text")
    converted = convert(frame(values, pl.String), [field])["x"]
    assert converted.dtype == pl.Decimal(precision, scale)
    assert converted.to_list() == [value and Decimal(value) for value in values]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1000.00", "9" * 50 + ".00"])
@pytest.mark.parametrize("others", [[], ["1.00", None]])
def test_a_numeric_without_a_decimal_becomes_null_and_is_told_apart(
    value: str, others: list[str | None]
) -> None:
    field, read = Field("x", Kind.DECIMAL, 5, 2, "text"), frame([value, *others], pl.String)
    converted = convert(read, [field])
    assert converted["x"].to_list() == [None, *(other and Decimal(other) for other in others)]
    lost = unconverted(read, converted, field)
    assert lost is not None
    assert lost.to_list() == [True, *(False for _ in others)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("00:00:00", time()),
        ("23:59:59.999999", time(23, 59, 59, 999999)),
        ("12:30:00.5", time(12, 30, 0, 500000)),
        ("24:00:00", None),
        (None, None),
    ],
)
def test_a_time_arrives_unless_it_is_24_00(value: str | None, expected: time | None) -> None:
    field, read = Field("x", Kind.TIME, read_as="text"), frame([value], pl.String)
    converted = convert(read, [field])
    assert converted["x"].to_list() == [expected]
    assert (unconverted(read, converted, field) is None) is (value != "24:00:00")


@pytest.mark.parametrize(
    ("kind", "dtype", "low", "high", "infinities"),
    [
        (Kind.DATE, pl.Date(), FIRST_DAY, LAST_DAY, INFINITE_DAYS),
        (Kind.TIMESTAMP, TIMESTAMP, FIRST_MOMENT, LAST_MOMENT, INFINITE_MICROSECONDS),
        (Kind.TIMESTAMPTZ, TIMESTAMPTZ, FIRST_MOMENT, LAST_MOMENT, INFINITE_MICROSECONDS),
    ],
)
def test_only_instants_of_the_years_1_to_9999_arrive_and_the_others_are_spelled(
    kind: Kind, dtype: pl.DataType, low: int, high: int, infinities: dict[int, str]
) -> None:
    field, inside = Field("x", kind), [low, 0, high, None]
    read = frame([*inside, low - 1, high + 1, *infinities], dtype)
    converted = convert(read, [field])
    assert converted["x"].to_physical().to_list() == [*inside, *[None] * 4]
    lost = unconverted(read, converted, field)
    assert lost is not None
    assert lost.to_list() == [False] * 4 + [True] * 4
    spelled = read.select(as_text(read, field))["x"].to_list()
    assert [str(text)[:4] for text in spelled[:3]] == ["0001", "1970", "9999"]
    assert spelled[3] is None
    assert spelled[4:6] == ["outside the years 1 to 9999"] * 2
    assert spelled[6:] == list(infinities.values())


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([b"\x00\xff", None], pl.Binary, ["00ff", None]),
        (["a", None], pl.String, ["a", None]),
        ([True, None], pl.Boolean, ["true", None]),
        ([-5, None], pl.Int64, ["-5", None]),
        ([1.5, None], pl.Float64, ["1.5", None]),
    ],
)
def test_a_value_is_spelled_so_that_a_person_can_read_it(
    values: list[Any], dtype: type[pl.DataType], expected: list[str | None]
) -> None:
    read = frame(values, dtype)
    assert read.select(as_text(read, Field("x", Kind.TEXT)))["x"].to_list() == expected


def test_a_chunk_with_nothing_to_convert_is_left_alone() -> None:
    read = frame([1, None], pl.Int64)
    field = Field("x", Kind.INT64)
    assert convert(read, [field]) is read
    assert unconverted(read, read, field) is None


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 1, None], TIMESTAMPTZ, datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        ([None], TIMESTAMPTZ, None),
        ([], TIMESTAMPTZ, None),
    ],
)
def test_the_largest_cursor_keeps_its_microseconds(
    values: list[int | None], dtype: pl.DataType, expected: datetime | None
) -> None:
    assert largest(frame(values, dtype), "x") == expected


def test_the_limits_are_the_first_and_last_day_python_knows() -> None:
    days = frame([FIRST_DAY, LAST_DAY], pl.Date())["x"].to_list()
    assert days == [date.min, date.max]
