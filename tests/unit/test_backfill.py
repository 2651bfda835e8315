"""Slices of a backfill: together they hold each row once, whatever was asked for."""

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from tasks.errors import ConfigError
from tasks.table import Table
from tasks.transfer.backfill import Asked, check_asked, cuts, pieces
from tasks.transfer.contract import Contract, make_contract
from tasks.transfer.slices import Slice, bound
from tasks.transfer.types import Limits
from tests.unit.test_contract import relation

WHOLE = Asked()
LAST = datetime.max.replace(tzinfo=UTC)


def contract(column: str) -> Contract:
    table = Table(name="t", mode="partition_overwrite", partition_by=column)
    return make_contract(table, relation(), Limits())


def counts(asked: list[Slice], kind: str, values: list[Any]) -> list[int]:
    """In how many of the slices each value is."""
    session = duckdb.connect()
    session.execute(f"set TimeZone = 'UTC'; create table t (n int, v {kind})")
    session.executemany("insert into t values (?, ?)", [*enumerate(values)])
    found = [0] * len(values)
    for each in asked:
        condition, ends = bound([each], "v")
        for (n,) in session.execute(f"select n from t where {condition}", ends).fetchall():
            found[n] += 1
    return found


@pytest.mark.parametrize(
    ("column", "kind", "ends", "values"),
    [
        ("number", "int", (-5, 20), [None, -99, -5, 0, 7, 8, 20, 99]),
        ("number", "int", (3, 3), [None, 2, 3, 4]),
        ("number", "int", (None, None), [None, 0]),
        ("day", "date", (date(2024, 1, 1), date(2024, 1, 10)), [date(2024, 1, 4), None, date.max]),
        (
            *("at", "timestamptz", (datetime(2024, 1, 1, tzinfo=UTC), LAST)),
            [None, datetime(1, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), LAST],
        ),
    ],
)
def test_the_slices_of_a_whole_table_hold_each_row_once(
    column: str, kind: str, ends: tuple[Any, Any], values: list[Any]
) -> None:
    table = contract(column)
    cut = cuts(table, WHOLE, ends, 3)
    asked = [part for piece in pieces(table, WHOLE, cut) for part in piece.bounds.asked]
    assert counts(asked, kind, values) == [1] * len(values)
    assert cut == cuts(table, WHOLE, ends, 3)


def test_a_range_ends_before_its_end_and_is_cut_evenly() -> None:
    table, asked = contract("day"), Asked("2024-01-01", "2024-01-07")
    cut = cuts(table, asked, (None, None), 3)
    assert cut == ["2024-01-01", "2024-01-03", "2024-01-05", "2024-01-07"]
    found = [part for piece in pieces(table, asked, cut) for part in piece.bounds.asked]
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 7), None]
    assert counts(found, "date", days) == [0, 1, 1, 0, 0]


def test_more_slices_than_values_are_as_many_as_there_are_values() -> None:
    table, asked = contract("number"), Asked("1", "4")
    found = pieces(table, asked, cuts(table, asked, (None, None), 9))
    assert [each.name for each in found] == ["1 to 2", "2 to 3", "3 to 4"]


@pytest.mark.parametrize(
    ("column", "start", "end"),
    [
        ("number", "9", "9"),
        ("number", "1.5", "9"),
        ("at", "tomorrow", "2024-01-01"),
        ("local", "2024-01-01T00:00+01:00", "2024-02-01"),
        ("day", "2024-01-02", "2024-01-01"),
        ("note", "a", "b"),
    ],
)
def test_a_range_that_has_no_rows_is_refused(column: str, start: str, end: str) -> None:
    with pytest.raises(ConfigError):
        check_asked(contract(column), Asked(start, end))
