"""Partitions of a table: where each begins and ends, and how they are named."""

from datetime import UTC, date, datetime

import pytest

from tasks.errors import ConfigError
from tasks.table import Table
from tasks.transfer.contract import make_contract
from tasks.transfer.overwrite import asked_partitions, span
from tasks.transfer.types import Limits
from tests.unit.test_contract import relation

NOON = datetime(2024, 2, 29, 12, 30, 15, 7)
LAST = datetime.max


@pytest.mark.parametrize(
    ("value", "unit", "first", "last"),
    [
        (NOON, "hour", datetime(2024, 2, 29, 12), datetime(2024, 2, 29, 12, 59, 59, 999999)),
        (NOON, "day", datetime(2024, 2, 29), datetime(2024, 2, 29, 23, 59, 59, 999999)),
        (NOON, "month", datetime(2024, 2, 1), datetime(2024, 2, 29, 23, 59, 59, 999999)),
        (NOON, "year", datetime(2024, 1, 1), datetime(2024, 12, 31, 23, 59, 59, 999999)),
        (LAST, "hour", LAST.replace(minute=0, second=0, microsecond=0), LAST),
        (LAST, "year", datetime(9999, 1, 1), LAST),
        (date(2023, 2, 3), "hour", date(2023, 2, 3), date(2023, 2, 3)),
        (date(2023, 2, 3), "day", date(2023, 2, 3), date(2023, 2, 3)),
        (date(2023, 2, 3), "month", date(2023, 2, 1), date(2023, 2, 28)),
        (date(9999, 2, 3), "year", date(9999, 1, 1), date.max),
    ],
)
def test_a_partition_spans_its_unit_to_the_last_microsecond(
    value: date, unit: str, first: date, last: date
) -> None:
    assert span(value, unit) == (first, last)


@pytest.mark.parametrize(
    ("column", "names", "expected"),
    [
        ("day", ["2024-02-29"], [(date(2024, 2, 29), date(2024, 2, 29))]),
        ("number", ["-7", "0"], [(-7, -7), (0, 0)]),
        ("note", ["2024-02", ""], [("2024-02", "2024-02"), ("", "")]),
        ("local", ["2024-02-29T12:30"], [span(NOON, "day")]),
        ("local", ["2024-02-29", "2024-02-29T12:30"], [span(NOON, "day")]),
        ("at", ["2024-02-29"], [span(NOON.replace(tzinfo=UTC), "day")]),
        ("at", ["2024-03-01T00:30+02:00"], [span(NOON.replace(tzinfo=UTC), "day")]),
        ("number", ["NULL"], [()]),
    ],
)
def test_partitions_are_named_by_a_value_in_them(
    column: str, names: list[str], expected: list[tuple[object, ...]]
) -> None:
    table = Table(name="t", mode="partition_overwrite", partition_by=column)
    slices = asked_partitions(make_contract(table, relation(), Limits()), names)
    assert [part.values for part in slices] == expected


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("day", "yesterday"),
        ("day", "2024-02-30"),
        ("number", "1.5"),
        ("local", "2024-02-29T12:30+02:00"),
        ("at", "0001-01-01T00:00+23:00"),
    ],
)
def test_a_name_that_is_no_value_of_the_column_is_refused(column: str, name: str) -> None:
    table = Table(name="t", mode="partition_overwrite", partition_by=column)
    with pytest.raises(ConfigError, match=rf"^t: --partitions names .*, and {column} is a"):
        asked_partitions(make_contract(table, relation(), Limits()), [name])


def test_partitions_of_a_table_that_has_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^t: It has no partitions.*--tables"):
        asked_partitions(make_contract(Table(name="t"), relation(), Limits()), ["1"])
