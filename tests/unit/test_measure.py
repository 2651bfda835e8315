"""The checks of a published relation, measured by DuckDB."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from tasks.config import Check
from tasks.quality.measure import judge, offending, scan

NOW = datetime(2026, 5, 1, 3, tzinfo=UTC)
SAMPLE = """
    (1, 'a', 'placed', timestamptz '2026-05-01 01:00:00+00'),
    (2, 'a', 'placed', timestamptz '2026-04-30 01:00:00+00'),
    (2, 'b', 'it''s', null),
    (null, 'b', null, null)
"""


@pytest.fixture
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with an empty mart.orders."""
    with duckdb.connect() as connection:
        connection.execute("create schema mart")
        connection.execute(
            "create table mart.orders"
            ' (id int, "a ""part" varchar, status varchar, "at" timestamptz)'
        )
        yield connection


def measured(
    session: duckdb.DuckDBPyConnection, rows: str, **checks: Any
) -> dict[str, tuple[float | None, bool]]:
    """Value and breach of each check of mart.orders."""
    if rows:
        session.execute(f"insert into mart.orders values {rows}")
    check = Check.model_validate({"relation": "mart.orders", **checks})
    statement, probes = scan(check, NOW, lambda name: '"' + name.replace('"', '""') + '"')
    row = session.execute(statement).fetchone()
    assert row is not None
    measurements = judge(check, probes, row)
    assert {each.relation for each in measurements} == {"mart.orders"}
    return {each.check: (each.value, each.breached) for each in measurements}


@pytest.mark.parametrize(
    ("checks", "name", "value", "breached"),
    [
        ({}, "rows", 4, False),
        ({"min_rows": 4}, "rows", 4, False),
        ({"min_rows": 5}, "rows", 4, True),
        ({"max_rows": 4}, "rows", 4, False),
        ({"max_rows": 3}, "rows", 4, True),
        ({"unique": ["id"]}, "unique id", 1, True),
        ({"unique": ['a "part']}, 'unique a "part', 2, True),
        ({"unique": ["id", 'a "part']}, 'unique id, a "part', 0, False),
        ({"max_null_ratio": {"id": 0.25}}, "null ratio id", 0.25, False),
        ({"max_null_ratio": {"id": 0.2}}, "null ratio id", 0.25, True),
        ({"max_null_ratio": {"at": 0.4, "id": 0.3}}, "null ratio at", 0.5, True),
        ({"max_null_ratio": {"at": 0.4, "id": 0.3}}, "null ratio id", 0.25, False),
        ({"max_age": {"column": "at", "hours": 2}}, "age at", 2, False),
        ({"max_age": {"column": "at", "hours": 1.9}}, "age at", 2, True),
        ({"accepted": {"status": ["placed", "it's"]}}, "accepted status", 0, False),
        ({"accepted": {"status": ["placed"]}}, "accepted status", 1, True),
    ],
)
def test_a_relation_is_measured_and_held_against_its_threshold(
    session: duckdb.DuckDBPyConnection,
    checks: dict[str, Any],
    name: str,
    value: float,
    breached: bool,
) -> None:
    assert measured(session, SAMPLE, **checks)[name] == (value, breached)


@pytest.mark.parametrize(
    ("checks", "name", "value", "breached"),
    [
        ({}, "rows", 0, False),
        ({"min_rows": 1}, "rows", 0, True),
        ({"unique": ["id"]}, "unique id", 0, False),
        ({"max_null_ratio": {"id": 0}}, "null ratio id", None, False),
        ({"max_age": {"column": "at", "hours": 26}}, "age at", None, True),
        ({"accepted": {"status": ["placed"]}}, "accepted status", 0, False),
    ],
)
def test_an_empty_relation_breaches_only_its_rows_and_its_age(
    session: duckdb.DuckDBPyConnection,
    checks: dict[str, Any],
    name: str,
    value: float | None,
    breached: bool,
) -> None:
    assert measured(session, "", **checks)[name] == (value, breached)


def test_a_ratio_at_its_limit_is_no_breach(session: duckdb.DuckDBPyConnection) -> None:
    rows = ", ".join(f"({'null' if n < 3 else n}, 'a', 'placed', null)" for n in range(10))
    ratios = measured(session, rows, max_null_ratio={"id": 0.3})
    assert ratios["null ratio id"] == (0.3, False)


def test_every_check_of_a_relation_is_one_scan_in_order(
    session: duckdb.DuckDBPyConnection,
) -> None:
    checks = measured(
        session,
        SAMPLE,
        unique=["id"],
        max_null_ratio={"id": 1},
        max_age={"column": "at", "hours": 1},
        accepted={"status": ["placed"]},
    )
    assert list(checks) == ["rows", "unique id", "null ratio id", "age at", "accepted status"]


@pytest.mark.parametrize(("rows", "breached"), [(0, False), (1, True)])
def test_any_row_of_a_query_is_a_breach(rows: int, breached: bool) -> None:
    measurement = offending(Check(relation="mart.orders"), "no orphan", rows)
    assert (measurement.check, measurement.value) == ("sql no orphan", rows)
    assert measurement.breached is breached


def test_keys_of_several_columns_are_not_taken_for_one_another(
    session: duckdb.DuckDBPyConnection,
) -> None:
    session.execute("create table mart.pairs as from (values ('1', '23'), ('12', '3')) t(a, b)")
    check = Check(relation="mart.pairs", unique=["a", "b"])
    statement, probes = scan(check, NOW, str)
    row = session.execute(statement).fetchone()
    assert row is not None
    assert {each.check: each.value for each in judge(check, probes, row)}["unique a, b"] == 0
