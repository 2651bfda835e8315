"""Dead letters from night to night: which rows are held back, and what their letters say."""

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
