"""What the twins promise whoever publishes, one statement below the flows."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tasks.errors import PermanentError
from tasks.transfer.evolution import Evolution
from tasks.transfer.spelling import as_text
from tasks.transfer.types import Field, Kind
from tests.conftest import ON_BOTH, Stage
from tests.warehouses import FIELDS, RUN, Copy, opened

pytestmark = ON_BOTH


def test_a_publish_that_comes_second_changes_nothing_and_says_so(
    warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        first, second = stage(session, [(1, "first")]), stage(session, [(2, "second")])
        assert session.publish([first])
        assert not session.publish([second])
        assert session.state("t").version == 1
    assert warehouse("select id, note from raw.t") == [(1, "first")]
    assert warehouse("select attempt from raw.sync_runs") == [(first.staged.attempt,)]


def test_a_publish_that_fails_in_the_middle_is_as_if_it_never_was(
    warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "old")])])
        letter = ('{"id":"2"}', "accepted", "note", "x", "{}")
        broken = stage(session, [(2, "new")], [letter])
        with pytest.raises(PermanentError):
            session.publish([replace(broken, record={**broken.record, "finished_at": None})])
        assert session.state("t").version == 1
    assert warehouse("select id, note from raw.t") == [(1, "old")]
    assert warehouse("select count(*) from raw.dead_letters") == [(0,)]


def test_a_merge_replaces_by_key_and_leaves_the_rest(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a"), (2, "b")])])
        merge = replace(stage(session, [(2, "B"), (3, "c")]), replaced=[])
        assert session.publish([merge])
    assert sorted(warehouse("select id, note from raw.t")) == [(1, "a"), (2, "B"), (3, "c")]
    assert warehouse("select count(distinct _synced_at) from raw.t") == [(2,)]


def test_a_merge_closes_the_letters_of_the_keys_it_publishes(warehouse: Copy, stage: Stage) -> None:
    letters = [(f'{{"id":"{number}"}}', "accepted", "note", "x", "{}") for number in (7, 8, 9)]
    again = [letters[1], (letters[2][0], "not_null", "note", None, "{}")]
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")], letters)])
        assert session.publish([replace(stage(session, [(7, "a")], again), replaced=[])])
    found = warehouse(
        "select row_key, rule, closed_at is null, first_seen = last_seen from raw.dead_letters"
    )
    assert sorted(found) == [
        ('{"id":"7"}', "accepted", False, True),
        ('{"id":"8"}', "accepted", True, False),
        ('{"id":"9"}', "accepted", False, True),
        ('{"id":"9"}', "not_null", True, True),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (Field("id", Kind.BINARY), b"\x00\xff"),
        (Field("id", Kind.TIMESTAMPTZ), datetime(2026, 3, 29, 0, 30, 0, 1, UTC)),
        (Field("id", Kind.DATE), date(1, 1, 1)),
        (Field("id", Kind.DECIMAL, 5, 2), Decimal("1.50")),
        (Field("id", Kind.FLOAT64), 0.1),
        (Field("id", Kind.UUID), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (Field("id", Kind.JSON), "[1,2]"),
        (Field("id", Kind.TEXT), 'a"b'),
    ],
    ids=lambda value: value.kind if isinstance(value, Field) else "",
)
def test_a_merge_finds_rows_and_letters_whatever_the_type_of_their_key(
    warehouse: Copy, stage: Stage, key: Field, value: Any
) -> None:
    fields = [key, Field("note", Kind.TEXT)]
    rows = pl.DataFrame({"id": [value]})
    [row_key] = rows.select(pl.struct(as_text(rows, key)).struct.json_encode()).to_series()
    letters = [(spelled, "not_null", "note", None, "{}") for spelled in (row_key, '{"id":"NaN?"}')]
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(value, "old")], letters, fields=fields)])
        merge = replace(stage(session, [(value, "new")], fields=fields), replaced=[])
        assert session.publish([merge])
    assert warehouse("select note from raw.t") == [("new",)]
    found = warehouse("select row_key, closed_at is null from raw.dead_letters")
    assert sorted(found, key=lambda letter: letter[1]) == [
        (row_key, False),
        ('{"id":"NaN?"}', True),
    ]


def test_a_ledger_of_an_earlier_version_gets_what_it_lacks(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
    for column in ("rows_deleted", "cpu_seconds"):
        warehouse.change(f"alter table raw.sync_runs drop column {column}")
    warehouse.change("drop table raw.sync_costs")
    with opened(warehouse) as session:
        session.prepare()
        publication = stage(session, [(1, "a")])
        record = {**publication.record, "rows_deleted": 3, "cpu_seconds": 1.5}
        assert session.publish([replace(publication, record=record)])
    assert warehouse("select rows_deleted, cpu_seconds from raw.sync_runs") == [(3, 1.5)]
    assert warehouse("select * from raw.sync_costs") == []


def test_an_empty_table_is_published_and_rises_in_time(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.rows("t") == 0
        assert session.publish([stage(session, [])])
        before = session.state("t").synced_at
        assert session.publish([stage(session, [(1, "a")])])
        after = session.state("t").synced_at
        assert session.rows("t") == 1
    assert before is not None and after is not None and before < after


def test_what_was_published_is_found_by_run_and_table(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.published(RUN, "t") is None
        published = stage(session, [(1, "a")])
        assert session.publish([published])
        found = session.published(RUN, "t")
        assert found is not None and found["attempt"] == published.staged.attempt
        assert session.published(RUN, "u") is None


def test_discarding_leaves_no_staging_and_can_be_repeated(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
        staged = stage(session, [(1, "a")]).staged
        session.discard(staged)
        session.discard(staged)
    staging = "select 1 from information_schema.tables where lower(table_name) like 'stg%'"
    assert warehouse(staging) == []


CHANGED = [Field("id", Kind.INT64), Field("remark", Kind.TEXT), Field("more", Kind.JSON)]
FOLLOWED = Evolution({"note": "remark"}, added=frozenset({"more"}), widened=frozenset({"id"}))
ROW = (5_000_000_000, "b", '{"c": 2}')


def test_columns_that_were_altered_before_a_publish_failed_are_met_by_the_next(
    warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")])])
        change = replace(stage(session, [ROW], fields=CHANGED), replaced=[], evolution=FOLLOWED)
        with pytest.raises(PermanentError):
            session.publish([replace(change, record={**change.record, "finished_at": None})])
        assert session.publish([change])
    found = warehouse("select id, remark, more is null from raw.t order by id")
    assert found == [(1, "a", True), (*ROW[:2], False)]


def test_a_publish_that_comes_second_alters_no_column(warehouse: Copy, stage: Stage) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")])])
        second = replace(stage(session, [ROW], fields=CHANGED), replaced=[], evolution=FOLLOWED)
        assert session.publish([stage(session, [(2, "b")])])
        assert not session.publish([second])
    assert warehouse("select id, note from raw.t") == [(2, "b")]


@pytest.mark.parametrize(
    ("fields", "told", "remedy"),
    [
        ([FIELDS[0], Field("gone", Kind.TEXT)], "has no column", "--full-refresh"),
        ([FIELDS[0], Field("note", Kind.INT64)], "as VARCHAR", "ALTER TABLE .* DROP COLUMN .*full"),
    ],
)
def test_a_copy_whose_columns_are_not_as_we_left_them_is_refused_and_stays(
    fields: list[Field], told: str, remedy: str, warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")])])
        altered = replace(stage(session, [(2, None)], fields=fields), replaced=[])
        with pytest.raises(PermanentError, match=f"(?i){told}.*{remedy}"):
            session.publish([altered])
    assert warehouse("select id, note from raw.t") == [(1, "a")]
