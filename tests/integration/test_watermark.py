"""The watermark on a real source: nothing slips past it, whatever the cursor is and holds."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, PermanentError
from tasks.source.snapshot import Floor, note_floor
from tests.conftest import ON_BOTH, Sync
from tests.warehouses import Copy

BY = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0"}
LOCAL = {**BY, "cursor_timezone": "Europe/Berlin", "lag": "1h"}
APPENDED = {"name": "t", "mode": "incremental", "append_only": True, "cursor": "at"}
MAKE = "create table t (id int primary key, at timestamptz default now(), note text default 'a')"
WATERMARK = "select watermark from raw.sync_state"


def ids(warehouse: Copy) -> list[int]:
    return [number for (number,) in warehouse("select id from raw.t order by id")]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("table", "kind", "now"),
    [
        (BY, "timestamptz", "now()"),
        (LOCAL, "timestamp", "now() at time zone 'Europe/Berlin'"),
        (LOCAL, "date", "(now() at time zone 'Europe/Berlin')::date"),
    ],
    ids=["timestamptz", "timestamp", "date"],
)
def test_a_row_that_commits_late_with_an_older_cursor_arrives_the_next_night(
    indexed: bool,
    table: dict[str, Any],
    kind: str,
    now: str,
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    warehouse: Copy,
) -> None:
    source.execute(f"create table t (id int primary key, at {kind})".encode())
    if indexed:
        source.execute("create index on t (at)")
    source.execute(
        f"insert into t select g, ({now} - g * interval '1 day')::{kind}"
        " from generate_series(10, 19) g".encode()
    )
    with psycopg.connect(source_url) as late:
        late.execute(f"insert into t values (1, {now})".encode())
        source.execute(f"insert into t values (2, {now}), (3, {now} + interval '1 year')".encode())
        sync(table)
        assert ids(warehouse) == [2, 3, *range(10, 20)]
    assert sync(table).rows_read < 10
    assert ids(warehouse) == [1, 2, 3, *range(10, 20)]


@ON_BOTH
@pytest.mark.parametrize(
    ("append_only", "unrepresentable"),
    [(False, "dead_letter"), (True, "dead_letter"), (True, "null")],
)
@pytest.mark.parametrize(
    ("kind", "indexed"), [("timestamptz", True), ("timestamp", False), ("date", True)]
)
def test_rows_with_null_future_infinite_and_ancient_cursors_are_neither_lost_nor_doubled(
    append_only: bool,
    unrepresentable: str,
    kind: str,
    indexed: bool,
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
) -> None:
    key = "" if append_only else "primary key"
    source.execute(f"create table t (id int {key}, at {kind})".encode())
    if indexed:
        source.execute("create index on t (at)")
    source.execute(
        "insert into t values (1, null), (2, '9999-12-31'), (3, 'infinity'), (4, '-infinity'),"
        " (5, '0044-03-15 BC'), (6, '10000-01-01'), (7, '0001-01-01'), (8, now())"
    )
    table = {**BY, "append_only": append_only, "unrepresentable": unrepresentable}
    if kind != "timestamptz":
        table["cursor_timezone"] = "UTC"
    for night in range(2):
        source.execute("insert into t values (%s, clock_timestamp())", [100 + night])
        sync({**table, "breaker": {"max_dead_letter_ratio": 1}})
    held_back = {3, 4, 5, 6} if unrepresentable == "dead_letter" else set()
    assert ids(warehouse) == sorted({*range(1, 9), 100, 101} - held_back)
    assert warehouse("select count(*) from raw.dead_letters where closed_at is null") == [
        (len(held_back),)
    ]
    [(reached,)] = warehouse(WATERMARK)
    [(now,)] = source.execute("select now()::text").fetchall()
    assert "2020" < reached < now.replace(" ", "T")


def test_an_infinite_cursor_fails_the_table_where_that_is_asked_for(
    source: psycopg.Connection, sync: Sync
) -> None:
    source.execute(MAKE)
    source.execute("insert into t values (1, 'infinity')")
    with pytest.raises(PermanentError, match=r"^t: 1 values of at don't fit .* infinity"):
        sync({**BY, "unrepresentable": "fail"})


def test_the_cursors_of_dead_letters_move_the_watermark_too(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    source.execute("insert into t values (1, '2024-01-01Z', 'good'), (2, '2024-01-02Z', 'bad')")
    table = {**BY, "rules": {"accepted": {"note": ["good"]}}}
    sync(table)
    assert warehouse(WATERMARK) == [("2024-01-02T00:00:00.000000+00:00",)]


def test_a_night_without_rows_does_not_move_the_watermark_and_one_that_reads_all_may(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    source.execute("insert into t values (1, '2024-01-01Z'), (2, '2024-01-02Z')")
    sync(BY)
    before = warehouse(WATERMARK)
    source.execute("delete from t where id = 2")
    sync(BY)
    assert warehouse(WATERMARK) == before
    sync(BY, full_refresh=True)
    assert warehouse(WATERMARK) == [("2024-01-01T00:00:00.000000+00:00",)]
    source.execute("delete from t")
    sync({**BY, "breaker": {"max_shrink_ratio": 1}}, full_refresh=True)
    assert warehouse(WATERMARK) == [("2024-01-01T00:00:00.000000+00:00",)]


def test_a_clock_that_was_set_back_makes_the_next_night_read_the_table_in_full(
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source.execute(MAKE)
    source.execute("insert into t values (1, now() + interval '1 day')")

    def tomorrow(connection: psycopg.Connection) -> Floor:
        floor = note_floor(connection)
        return floor.model_copy(update={"clock": floor.clock + timedelta(days=1)})

    with monkeypatch.context() as patch:
        patch.setattr("tasks.source.snapshot.note_floor", tomorrow)
        sync(BY)
    source.execute("insert into t values (2, now())")
    with caplog.at_level("WARNING", "daybreak"):
        sync(BY)
    assert "t: the source's clock is behind its watermark" in caplog.text
    assert ids(warehouse) == [1, 2]
    source.execute("insert into t values (3, now())")
    sync(BY)
    assert ids(warehouse) == [1, 2, 3]


def test_an_open_prepared_transaction_keeps_the_watermark_where_it_was(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    source.execute("insert into t values (1, '2024-01-01Z')")
    sync(BY)
    before = warehouse(WATERMARK)
    source.execute("begin; insert into t values (2); prepare transaction 'open'")
    try:
        source.execute("insert into t values (3)")
        sync(BY)
        assert ids(warehouse) == [1, 3]
        assert warehouse(WATERMARK) == before
    finally:
        source.execute("commit prepared 'open'")
    sync(BY)
    assert ids(warehouse) == [1, 2, 3]
    assert warehouse(WATERMARK) > before


def test_an_integer_cursor_reads_its_lag_again_and_says_that_it_is_not_commit_proof(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    warehouse: Copy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source.execute("create table t (id int generated always as identity, note text)")
    table = {**APPENDED, "cursor": "id", "lag": 2}
    with psycopg.connect(source_url) as late:
        late.execute("insert into t (note) values ('late')")
        source.execute("insert into t (note) values ('a'), ('b')")
        with caplog.at_level("WARNING", "daybreak"):
            sync(table)
        assert ids(warehouse) == [2, 3]
    assert "the cursor id is an integer, which is not commit-proof" in caplog.text
    source.execute("insert into t (note) values ('c')")
    sync(table)
    assert ids(warehouse) == [1, 2, 3, 4]
    assert warehouse(WATERMARK) == [("4",)]


def test_another_cursor_or_zone_makes_the_next_night_read_the_table_in_full(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key, at timestamptz, other timestamptz)")
    source.execute("insert into t values (1, now(), '2020-01-01Z')")
    sync(BY)
    source.execute("insert into t values (2, '2020-01-01Z', '2020-01-02Z')")
    sync({**BY, "cursor": "other"})
    assert ids(warehouse) == [1, 2]


def test_a_floor_that_is_old_is_reported_with_who_holds_it(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source.execute(MAKE)
    monkeypatch.setattr("tasks.plan.OLD_FLOOR", timedelta(0))
    with psycopg.connect(source_url) as old, caplog.at_level("WARNING", "daybreak"):
        old.execute("select 1")
        sync(BY)
        assert f"pid {old.info.backend_pid}, user postgres, query started 20" in caplog.text


@pytest.fixture
def reader_url(source: psycopg.Connection, source_url: str) -> str:
    """A URL whose role sees no other session, and may read the table t."""
    source.execute(MAKE)
    source.execute('drop role if exists "Blind Eye"; create role "Blind Eye" login')
    source.execute('grant select on t to "Blind Eye"')
    return source_url.replace("postgres@", "Blind%20Eye@")


def test_a_role_that_sees_no_other_session_is_told_the_grant_or_to_write_a_lag(
    source: psycopg.Connection, reader_url: str, sync: Sync
) -> None:
    table = {"name": "t", "mode": "incremental", "cursor": "at"}
    with pytest.raises(ConfigError) as refused:
        sync(table, url=reader_url)
    assert 'GRANT pg_read_all_stats TO "Blind Eye";, or write a lag' in str(refused.value)
    sync({**table, "lag": "1h"}, url=reader_url)
    source.execute('grant pg_read_all_stats to "Blind Eye"')
    sync(table, url=reader_url)


def test_a_role_whose_activity_is_not_tracked_is_named(
    source: psycopg.Connection, source_url: str, reader_url: str, sync: Sync
) -> None:
    source.execute('alter role "Blind Eye" set track_activities = off')
    table = {"name": "t", "mode": "incremental", "cursor": "at"}
    with (
        psycopg.connect(reader_url),
        pytest.raises(ConfigError, match=r'ALTER ROLE "Blind Eye" SET track_activities = on'),
    ):
        sync(table, url=source_url)


@pytest.mark.parametrize("kind", ["timestamptz(0)", "timestamptz(1)"])
def test_a_cursor_that_rounds_down_loses_no_row_that_commits_late(
    kind: str, source: psycopg.Connection, source_url: str, sync: Sync, warehouse: Copy
) -> None:
    source.execute(f"create table t (id int primary key, at {kind} default now())".encode())
    source.execute("insert into t values (1, '2024-01-01')")
    sync(BY)
    with psycopg.connect(source_url) as late:
        while late.execute(f"select now()::{kind} < now()".encode()).fetchone() == (False,):
            late.rollback()
        late.execute("insert into t values (2)")
        source.execute("insert into t values (3, now() + interval '1 minute')")
        sync(BY)
    sync(BY)
    assert ids(warehouse) == [1, 2, 3]
