"""The conversion of values as read, and how they are spelled for a person."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tasks.source.catalog import Column
from tasks.transfer.convert import (
    FIRST_DAY,
    LAST_DAY,
    MICROSECONDS_A_DAY,
    convert,
    largest,
    may_have_long_number,
    unconverted,
)
from tasks.transfer.spelling import INFINITE_DAYS, INFINITE_MICROSECONDS, as_text
from tasks.transfer.types import Field, Kind, Limits, field_of

ARRAY = Column(
    *("x", 1, "int[]", "_int4", -1, "A", False, False, True),
    parts=(Column("element", 1, "int", "int4", -1, "N", False, False),),
)
TIMESTAMP, TIMESTAMPTZ = pl.Datetime("us"), pl.Datetime("us", "UTC")
FIRST_MOMENT = FIRST_DAY * MICROSECONDS_A_DAY
LAST_MOMENT = (LAST_DAY + 1) * MICROSECONDS_A_DAY - 1


def frame(values: list[Any], dtype: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """A chunk of one column, from values as the source's integers where it is a time."""
    if dtype == pl.Date:
        return pl.DataFrame({"x": pl.Series(values, dtype=pl.Int32).cast(pl.Date)})
    if isinstance(dtype, pl.Datetime):
        return pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64).cast(dtype)})
    return pl.DataFrame({"x": pl.Series(values, dtype=dtype)})


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
    assert spelled[4].startswith("0001-12-31") and spelled[4].endswith(" BC")
    assert spelled[5].startswith("10000-01-01")
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


LIMITS = Limits(text=4, binary=4, json=60, exact_json=True)
LONG = "1" * 39


@pytest.mark.parametrize(
    ("field", "dtype", "fit", "unfit"),
    [
        (Field("x", Kind.TEXT), pl.String, ["", "abcd", "éé"], ["abcde", "漢字"]),
        (Field("x", Kind.BINARY), pl.Binary, [b"", b"abcd"], [b"abcde"]),
        (Field("x", Kind.JSON, read_as="text"), pl.String, ['"' + "a" * 58 + '"'], ["1" * 61]),
        (
            Field("x", Kind.JSON, read_as="text"),
            pl.String,
            [
                *("1" * 38, f"-{'1' * 38}", "0." + "1" * 37, "1." + "1" * 37, f'"{LONG}"'),
                *(f'{{"{LONG}":1}}', f'["\\"{LONG}"]', "1.7976931348623157e+308", "[1,2,3,4,5,6]"),
            ],
            [
                *(LONG, f"-{LONG}", f"[{LONG}]", "0." + "1" * 38, "1" * 20 + "." + "1" * 19),
                *(f'["\\\\",{LONG}]', f'{{"a": [{LONG}.5]}}'),
            ],
        ),
        (
            Field("x", Kind.JSON, read_as="text", is_declared=True),
            pl.String,
            [
                *(r'"\\u0000"', '{"a":1}', "null", "123456789012345e3", "1e289", "-1.5E-7"),
                *("12345678901234567890123", '"1234567890123456e1"', "[true, 1e5, false]"),
            ],
            [
                *(r'"\u0000"', r'["a\\\u0000"]', '{"a":1,"a":2}', "{"),
                *("12345678901234567890123e0", "[1.234567890123456e5]", "1e400", "5E-00324"),
            ],
        ),
        (field_of(ARRAY), pl.String, ["[1]", '["=1"]'], ["=[0:0]={1}", '={"(=,[0:0]={1})"}']),
        (
            Field("x", Kind.DECIMAL, 5, 2, "text", is_declared=True),
            pl.String,
            ["1.5", "-999.99"],
            ["1.239", "NaN", "1000"],
        ),
    ],
    ids=["text", "bytes", "long json", "numbers in json", "NUL in json", "arrays", "declared"],
)
def test_a_value_beyond_a_limit_becomes_null_and_the_others_stay(
    field: Field, dtype: type[pl.DataType], fit: list[Any], unfit: list[Any]
) -> None:
    field = replace(field, limits=LIMITS)
    read = frame([*fit, None, *unfit], dtype)
    converted = convert(read, [field])
    lost = unconverted(read, converted, field)
    assert lost is not None
    assert lost.to_list() == [False] * (len(fit) + 1) + [True] * len(unfit)
    clean = read.head(len(fit) + 1)
    assert unconverted(clean, convert(clean, [field]), field) is None


@pytest.mark.parametrize("offset", range(8))
def test_a_long_number_is_noticed_wherever_it_begins(offset: int) -> None:
    for number in (LONG, "0." + "1" * 38, "1" * 19 + "." + "1" * 20):
        text = " " * offset + f"[{number}]"
        assert may_have_long_number(pl.Series(["{}", None, text, "[]"]))
        assert not may_have_long_number(pl.Series(["{}", text.replace("1" * 17, "1" * 15, 1)]))


@pytest.mark.parametrize("texts", [[], [None], ["", None], ['{"at": 1700000000000}'] * 9])
def test_there_is_no_long_number_where_there_is_none(texts: list[str | None]) -> None:
    assert not may_have_long_number(pl.Series(texts, dtype=pl.String))


def test_a_long_text_is_spelled_by_its_beginning_and_its_size() -> None:
    read = frame(["é" * 100_001, "short", None], pl.String)
    spelled = read.select(as_text(read, Field("x", Kind.TEXT)))["x"].to_list()
    assert spelled == ["é" * 100_000 + "... (200002 bytes)", "short", None]


def test_an_array_that_is_read_as_its_text_is_spelled_without_the_mark() -> None:
    read = frame(["=[0:0]={1}", "[1]"], pl.String)
    assert read.select(as_text(read, field_of(ARRAY)))["x"].to_list() == ["[0:0]={1}", "[1]"]


def test_values_of_several_chunks_are_spelled_though_one_of_them_is_left_empty() -> None:
    read = pl.concat(
        [frame([0], pl.Date()), frame([FIRST_DAY - 1, *INFINITE_DAYS], pl.Date())], rechunk=False
    )
    rows = read.filter(pl.Series([False, True, True, True]))
    assert rows["x"].n_chunks() == 2
    spelled = rows.select(as_text(read, Field("x", Kind.DATE)))["x"]
    assert spelled.to_list() == ["0001-12-31 BC", "infinity", "-infinity"]
    long = pl.concat([frame(["a"], pl.String), frame(["b" * 100_001], pl.String)], rechunk=False)
    rows = long.filter(pl.Series([False, True]))
    assert rows.select(as_text(long, Field("x", Kind.TEXT)))["x"].str.ends_with("bytes)").all()
