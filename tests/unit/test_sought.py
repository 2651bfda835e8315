"""What is read of the source to meet the rows of dead letters again."""

from datetime import UTC, date, datetime

import pytest

from tasks.transfer.overwrite import MOST_PARTITIONS
from tasks.transfer.slices import Slice, Value, within, without
from tasks.transfer.sought import AMONG_ALL, MOST_KEYS, by_keys, by_values
from tasks.transfer.types import Field, Kind

KEY = [Field("id", Kind.INT64)]


def test_rows_are_sought_by_the_hashes_of_their_keys() -> None:
    bounds = by_keys(KEY, [7, 9])
    assert bounds.keys
    assert "any('{7,9}'::" in bounds.keys.at_source.as_string()
    assert by_keys(KEY, []).keys


@pytest.mark.parametrize("hashes", [[7, None], list(range(MOST_KEYS + 1))])
def test_rows_of_unknown_or_very_many_keys_are_sought_among_all(hashes: list[int | None]) -> None:
    assert by_keys(KEY, hashes) == AMONG_ALL


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INT32, "-3", -3),
        (Kind.TEXT, "infinity", "infinity"),
        (Kind.DATE, "2026-01-31", date(2026, 1, 31)),
        (Kind.TIMESTAMP, "-1", datetime(1969, 12, 31, 23, 59, 59, 999999)),
        (Kind.TIMESTAMPTZ, "253402300799999999", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_rows_without_a_key_are_sought_by_the_values_they_share(
    kind: Kind, text: str, value: Value
) -> None:
    field = Field("x", kind)
    assert by_values(field, [text, None]).asked == (within(field, value, value), without(field))
    assert by_values(field, []).asked == (Slice(field, "false"),)


@pytest.mark.parametrize(
    ("kind", "text"), [(Kind.DATE, "infinity"), (Kind.TIMESTAMP, "9223372036854775807")]
)
def test_values_that_no_copy_can_hold_are_sought_with_those_that_are_missing(
    kind: Kind, text: str
) -> None:
    field = Field("x", kind)
    assert by_values(field, [text]).asked == (without(field),)


def test_very_many_values_are_sought_as_one_span() -> None:
    field = Field("x", Kind.INT64)
    texts: list[str | None] = [str(number) for number in range(MOST_PARTITIONS + 1)]
    assert by_values(field, texts).asked == (within(field, 0, MOST_PARTITIONS),)
