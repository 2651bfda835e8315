"""Random tables of random types with random values: each value arrives, or is said not to fit."""

import json
from collections import Counter

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.arrivals import Cell, differences, make
from tests.conftest import Sync
from tests.random_types import COLUMNS, Type
from tests.warehouses import DuckDBCopy

EMPTY = "drop schema public cascade; create schema public; create extension citext"


@pytest.mark.parametrize(
    "examples", [25, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])]
)
def test_a_random_table_arrives_value_by_value(
    examples: int, source: psycopg.Connection, sync: Sync, warehouse: DuckDBCopy
) -> None:
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=[*HealthCheck], database=None
    )
    @given(COLUMNS, st.data())
    def arrives(types: list[Type], data: st.DataObject) -> None:
        columns = [data.draw(st.lists(st.none() | each.values, max_size=6)) for each in types]
        warehouse.file.unlink(missing_ok=True)
        source.execute(EMPTY)
        for statement in dict.fromkeys(made for each in types for made in each.made_by):
            source.execute(statement.encode())
        texts = [[value and value.text for value in values] for values in columns]
        make(source, zip([each.name for each in types], texts, strict=True))
        refused = {
            Cell(row, f"c{number}")
            for number, values in enumerate(columns)
            for row, value in enumerate(values)
            if value and not value.fits
        }
        outcome = sync({"name": "t", "unrepresentable": "null"})
        found = differences(source, warehouse)
        assert {cell: texts for cell, texts in found.items() if texts[1] is not None} == {}
        assert found.keys() == refused
        told = json.loads(outcome.cells_unrepresentable or "{}")
        counts = Counter(cell.column for cell in refused)
        assert told == {column: {"null": count} for column, count in counts.items()}

    arrives()
