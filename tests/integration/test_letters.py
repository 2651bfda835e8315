"""Dead letters from night to night: which rows are held back, and what their letters say."""

import json
from typing import Any

import psycopg
import pytest

from tests.conftest import Sync
from tests.warehouses import Copy

TABLE = {
    "name": "t",
    "mode": "incremental",
    "cursor": "at",
    "lag": "0",
    "breaker": {"max_dead_letter_ratio": 1},
}
STRICT = {**TABLE, "rules": {"accepted": {"note": ["a"]}}}
MAKE = """
create table t (
    id int primary key, note text default 'a', at timestamptz default clock_timestamp());
insert into t select g, 'a', now() - (10 - g) * interval '1 hour' from generate_series(1, 9) g;
"""


def copied(warehouse: Copy) -> list[int]:
    return sorted(number for (number,) in warehouse("select id from raw.t"))


def letters(warehouse: Copy, columns: str = "row_key, rule") -> list[tuple[Any, ...]]:
    """Of the open dead letters."""
    return sorted(warehouse(f"select {columns} from raw.dead_letters where closed_at is null"))


@pytest.mark.parametrize("changed", [{"rules": {}}, {"unrepresentable": "null"}])
def test_a_night_after_its_rules_changed_judges_every_row_anew(
    changed: dict[str, Any], source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE + "alter table t add day date; update t set day = 'infinity' where id = 1")
    source.execute("update t set note = 'b' where id = 2")
    sync(TABLE)
    assert copied(warehouse) == [*range(2, 10)]
    assert sync(STRICT).rows_read == 9
    assert copied(warehouse) == [*range(3, 10)]
    assert letters(warehouse) == [('{"id":"1"}', "unrepresentable"), ('{"id":"2"}', "accepted")]
    assert sync(STRICT).rows_read < 9
    sync({**STRICT, **changed})
    mended = 2 if "rules" in changed else 1
    assert copied(warehouse) == [mended, *range(3, 10)]
    assert letters(warehouse, "row_key") == [(f'{{"id":"{3 - mended}"}}',)]


def test_a_letter_is_one_however_often_its_row_is_met(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE + "update t set note = 'b' where id in (1, 2)")
    table = {**STRICT, "mode": "full_refresh"}
    table.pop("cursor"), table.pop("lag")
    sync(table)
    times = "row_key, first_seen, last_seen, first_run_id, value"
    first = letters(warehouse, times)
    source.execute("update t set note = 'c' where id = 2")
    sync(table)
    again = letters(warehouse, times)
    assert [(each[0], each[1], each[3]) for each in again] == [
        (each[0], each[1], each[3]) for each in first
    ]
    assert all(now[2] > was[2] for was, now in zip(first, again, strict=True))
    assert [each[4] for each in again] == ["b", "c"]


def test_a_letter_says_whether_the_row_before_is_still_in_the_copy(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(STRICT)
    source.execute("update t set note = 'b', at = clock_timestamp() where id = 1")
    sync(STRICT)
    assert letters(warehouse, "previous_version_kept") == [(True,)]
    assert copied(warehouse) == [*range(1, 10)]
    for _ in range(2):
        sync(STRICT, full_refresh=True)
        assert letters(warehouse, "previous_version_kept") == [(False,)]
        assert copied(warehouse) == [*range(2, 10)]
        source.execute("update t set at = clock_timestamp() where id = 1")
        sync(STRICT)
        assert letters(warehouse, "previous_version_kept") == [(False,)]


BAD: dict[str, str] = {
    "not_null": "customer_id = null",
    "accepted": "status = 'lost'",
    "range": "amount = -0.01",
    "regex": "email = 'nobody'",
    "length": "country = 'Germany'",
    "unrepresentable": "ordered = 'infinity'",
    "shipped after it was ordered": "shipped = ordered - 1",
}
POISONED = {
    "name": "orders",
    "rules": {
        "not_null": ["customer_id"],
        "accepted": {"status": ["placed", "shipped"]},
        "range": {"amount": {"min": 0, "max": 1000}},
        "regex": {"email": "@"},
        "length": {"country": {"min": 2, "max": 2}},
        "expression": {"shipped after it was ordered": "shipped >= ordered"},
    },
}
MAKE_POISONED = """
create table orders (
    id int primary key, customer_id int, status text, amount numeric(8, 2), email text,
    country text, ordered date, shipped date);
insert into orders
select g, g % 999, (array['placed', 'shipped'])[1 + g % 2], g % 1000, g || '@example.com', 'DE',
       date '2024-01-01' + g % 365, date '2024-01-08' + g % 365
from generate_series(1, {rows}) g;
"""


@pytest.mark.parametrize("rows", [70_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_poisoned_table_is_copied_but_for_the_bad_rows_and_each_of_those_is_explained(
    rows: int, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE_POISONED.format(rows=rows).encode())
    for number, change in enumerate(BAD.values()):
        these = f"id % 200 = 0 and id / 200 % {len(BAD)} = {number}"
        source.execute(f"update orders set {change} where {these}".encode())
    expected = [
        (f'{{"id":"{number}"}}', list(BAD)[number // 200 % len(BAD)])
        for number in range(200, rows + 1, 200)
    ]
    first: list[tuple[Any, ...]] = []
    for _ in range(2):
        outcome = sync(POISONED)
        assert (outcome.rows_published, outcome.rows_dead_lettered) == (
            rows - len(expected),
            len(expected),
        )
        assert warehouse("select count(*) from raw.orders where id % 200 = 0") == [(0,)]
        assert letters(warehouse) == sorted(expected)
        found = letters(warehouse, "row_key, rule, column_name, value, record, first_seen")
        assert first in ([], found)
        first = found
    told = {rule: (column, value) for _, rule, column, value, _, _ in first}
    assert told["not_null"] == ("customer_id", None)
    assert told["range"] == ("amount", "-0.01")
    assert told["unrepresentable"] == ("ordered", "infinity")
    column, value = told["shipped after it was ordered"]
    assert (column, json.loads(value).keys()) == ("shipped, ordered", {"shipped", "ordered"})
    assert {json.loads(record)["id"] for *_, record, _ in first} == {
        str(number) for number in range(200, rows + 1, 200)
    }
