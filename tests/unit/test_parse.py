"""Texts as values of another type: exactly, or not at all."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tasks.transfer.parse import parse
from tasks.transfer.types import Field, Kind

NOON = datetime(2026, 1, 31, 12, 0, 0, 500000)
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
EXACT: list[tuple[Field, dict[str, Any]]] = [
    (Field("x", Kind.INT16), {"5": 5, "-32768": -32768, "5.00": 5, "007": 7}),
    (Field("x", Kind.INT64), {"9223372036854775807": 9223372036854775807}),
    (
        Field("x", Kind.DECIMAL, 5, 2),
        {"1.5": Decimal("1.50"), "-0.10000": Decimal("-0.10"), "00999.99": Decimal("999.99")},
    ),
    (Field("x", Kind.DECIMAL, 38, 37), {"9." + "9" * 37: Decimal("9." + "9" * 37)}),
    (
        Field("x", Kind.FLOAT64),
        {"0.1": 0.1, "-0": -0.0, "1e300": 1e300, "123456789012345": 123456789012345.0},
    ),
    (Field("x", Kind.FLOAT64), {"Infinity": float("inf"), "-Infinity": float("-inf"), "0.00": 0.0}),
    (Field("x", Kind.FLOAT32), {"0.5": 0.5, "123456": 123456.0}),
    (Field("x", Kind.BOOLEAN), {"true": True, "t": True, "1": True, "false": False, "0": False}),
    (Field("x", Kind.TEXT), {"": "", "NULL": "NULL"}),
    (Field("x", Kind.BINARY), {r"\x": b"", r"\x00fF": b"\x00\xff"}),
    (
        Field("x", Kind.DATE),
        {"0001-01-01": date.min, "9999-12-31": date.max, "2026-01-31 00:00:00": NOON.date()},
    ),
    (
        Field("x", Kind.TIMESTAMP),
        {
            "2026-01-31 12:00:00.5": NOON,
            "2026-01-31T12:00:00.500000": NOON,
            "0001-01-01": datetime.min,
        },
    ),
    (
        Field("x", Kind.TIMESTAMPTZ),
        {
            "2026-01-31 12:00:00.5+00": NOON.replace(tzinfo=UTC),
            "2026-01-31T12:00:00.5Z": NOON.replace(tzinfo=UTC),
            "2026-01-31 17:30:00.5+05:30": NOON.replace(tzinfo=UTC),
        },
    ),
    (Field("x", Kind.TIME), {"00:00:00": time(), "23:59:59.999999": time(23, 59, 59, 999999)}),
    (Field("x", Kind.UUID), {UUID: UUID, UUID.upper(): UUID}),
    (
        Field("x", Kind.JSON),
        {
            text: text
            for text in (
                *("{}", "[]", "null", " null ", "1", '"a:b"', '{"a":1.50}', '[{"a":1},{"a":2}]'),
                *('{"a:":{"b":":"}}', "1" * 60, r'"\u0000"', r'"\ud83e\udd86"'),
            )
        },
    ),
]
REFUSED = [
    (Field("x", Kind.INT16), ["32768", "5.01", "5e0", "", " 5", "+5", "0x5", "NaN", "٣"]),
    (
        Field("x", Kind.DECIMAL, 5, 2),
        ["1.239", "1000", "9" * 50, "NaN", "Infinity", "1e2", "", "-", ".", "1_0", "1,5"],
    ),
    (
        Field("x", Kind.FLOAT64),
        ["1234567890123456", "1e400", "1e-400", "1e-310", "", "nan", "0x1p3"],
    ),
    (Field("x", Kind.FLOAT32), ["1234567", "1e39", "1e-40"]),
    (Field("x", Kind.BOOLEAN), ["yes", "TRUE", "", "2"]),
    (Field("x", Kind.BINARY), ["00ff", r"\x0", r"\xzz", ""]),
    (
        Field("x", Kind.DATE),
        [
            *("2026-01-31 00:00:01", "2026-02-30", "infinity", "0044-03-15 BC", "0000-12-31"),
            *("12345-01-01", "2026-1-5", "26-01-05", "31.01.2026", ""),
        ],
    ),
    (
        Field("x", Kind.TIMESTAMP),
        [
            *("2026-01-31 23:59:60", "2026-01-31 24:00:00", "2026-01-31 12:00:00.1234567"),
            *("2026-01-31 12:00:00+00", "2026-01-31 12:00", "infinity"),
        ],
    ),
    (
        Field("x", Kind.TIMESTAMPTZ),
        ["2026-01-31 12:00:00", "0001-01-01 00:00:00+05", "9999-12-31 23:59:59-01", "2026-01-31"],
    ),
    (Field("x", Kind.TIME), ["24:00:00", "23:59:60", "1:2:3", "12:00:00.1234567", "12:00"]),
    (Field("x", Kind.UUID), ["a0ee", UUID.replace("-", ""), f"{{{UUID}}}", ""]),
    (
        Field("x", Kind.JSON),
        ["", "nul", "{a:1}", "[1,]", '{"a":1,"a":2}', '[{"b":{"a":1,"a":1}}]', r'"\ud800"', "NaN"],
    ),
]


@pytest.mark.parametrize(("field", "values"), EXACT, ids=lambda value: getattr(value, "kind", ""))
def test_a_text_that_is_exactly_a_value_is_that_value(field: Field, values: dict[str, Any]) -> None:
    found = parse(pl.Series([*values, None], dtype=pl.String), field)
    assert [*map(str, found)] == [*map(str, values.values()), "None"]


@pytest.mark.parametrize(("field", "texts"), REFUSED, ids=lambda value: getattr(value, "kind", ""))
def test_a_text_that_is_not_exactly_a_value_is_none(field: Field, texts: list[str]) -> None:
    found = parse(pl.Series([*texts, None], dtype=pl.String), field)
    assert found.to_list() == [None] * (len(texts) + 1)
