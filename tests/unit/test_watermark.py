"""The watermark: never past what may still commit, never back."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from tasks.config import Table
from tasks.errors import ConfigError
from tasks.source.snapshot import Floor
from tasks.transfer.watermark import check_floor, conditions, lower_bound, next_watermark

CLOCK = datetime(2026, 5, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
FULL = Table(name="orders")
INCREMENTAL = Table(name="orders", mode="incremental", cursor="updated_at")
WITH_LAG = Table(name="orders", mode="incremental", cursor="updated_at", lag=HOUR)


def text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("previous", "largest", "oldest", "expected"),
    [
        pytest.param(None, CLOCK - HOUR, None, CLOCK - HOUR, id="the largest cursor"),
        pytest.param(None, CLOCK - TICK, None, CLOCK - TICK, id="to the microsecond"),
        pytest.param(None, CLOCK + HOUR, None, CLOCK, id="never past the clock"),
        pytest.param(None, CLOCK, CLOCK - HOUR, CLOCK - HOUR, id="the oldest transaction"),
        pytest.param(None, CLOCK - 2 * HOUR, CLOCK - HOUR, CLOCK - 2 * HOUR, id="below both"),
        pytest.param(CLOCK - HOUR, CLOCK - 2 * HOUR, None, CLOCK - HOUR, id="never back by rows"),
        pytest.param(CLOCK - HOUR, CLOCK, CLOCK - 2 * HOUR, CLOCK - HOUR, id="nor by the floor"),
        pytest.param(CLOCK - HOUR, None, None, CLOCK - HOUR, id="never on zero rows"),
        pytest.param(None, None, None, None, id="none of nothing"),
    ],
)
def test_the_next_watermark_is_the_smallest_of_cursor_floor_and_clock(
    previous: datetime | None,
    largest: datetime | None,
    oldest: datetime | None,
    expected: datetime | None,
) -> None:
    reached = next_watermark(
        text(previous) if previous else None, largest, Floor(clock=CLOCK, oldest=oldest)
    )
    assert reached == (text(expected) if expected else None)


@pytest.mark.parametrize("previous", [None, text(CLOCK - HOUR)])
def test_a_prepared_transaction_holds_the_watermark(previous: str | None) -> None:
    assert next_watermark(previous, CLOCK, Floor(clock=CLOCK, prepared=True)) == previous


@pytest.mark.parametrize(
    ("table", "watermark", "expected"),
    [
        (INCREMENTAL, text(CLOCK), CLOCK - timedelta(minutes=10)),
        (WITH_LAG, text(CLOCK), CLOCK - HOUR),
        (INCREMENTAL, None, None),
        (FULL, text(CLOCK), None),
        (INCREMENTAL, "0001-01-01T00:00:00.000000+00:00", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_read_starts_the_lag_before_the_watermark_or_at_the_beginning(
    table: Table, watermark: str | None, expected: datetime | None
) -> None:
    assert lower_bound(watermark, table) == expected


def test_an_incremental_read_takes_new_rows_and_those_without_a_cursor() -> None:
    assert [sql.SQL("{}").format(part).as_string() for part in conditions('a"b', CLOCK)] == [
        '"a""b" >= \'2026-05-01T03:00:00+00:00\'',
        '"a""b" is null',
    ]


def test_an_unknown_floor_is_refused_with_the_lag_as_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"orders: .*grant pg_read_all_stats.*lag: 1h"):
        check_floor(Floor(clock=CLOCK, unknown="grant pg_read_all_stats"), INCREMENTAL)


@pytest.mark.parametrize(
    ("table", "unknown"), [(WITH_LAG, "a standby"), (FULL, "a standby"), (INCREMENTAL, None)]
)
def test_a_floor_is_accepted_when_known_or_unneeded_or_lagged(
    table: Table, unknown: str | None
) -> None:
    check_floor(Floor(clock=CLOCK, unknown=unknown), table)
