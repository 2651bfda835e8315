"""The watermark: never past what may still commit, never back."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tasks.errors import ConfigError
from tasks.source.snapshot import Floor
from tasks.table import Table
from tasks.transfer.slices import Value
from tasks.transfer.types import Field, Kind
from tasks.transfer.watermark import (
    Mark,
    changed_since,
    check_floor,
    lower_bound,
    next_watermark,
)

CLOCK = datetime(2026, 5, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
FULL = Table(name="orders")
INCREMENTAL = Table(name="orders", mode="incremental", cursor="updated_at")
WITH_LAG = Table(name="orders", mode="incremental", cursor="updated_at", lag=HOUR)
BERLIN = ZoneInfo("Europe/Berlin")
IN_BERLIN = Table(
    name="orders",
    mode="incremental",
    cursor="updated_at",
    lag=HOUR,
    cursor_timezone=BERLIN.key,
)
EVENTS = Table(name="events", mode="incremental", cursor="id", append_only=True, lag=100)


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
    floor = Floor(clock=CLOCK, oldest=oldest)
    reached = next_watermark(text(previous) if previous else None, largest, floor, INCREMENTAL)
    assert reached == (text(expected) if expected else None)


@pytest.mark.parametrize("previous", [None, text(CLOCK - HOUR)])
def test_a_prepared_transaction_holds_the_watermark(previous: str | None) -> None:
    floor = Floor(clock=CLOCK, prepared=True)
    assert next_watermark(previous, CLOCK, floor, INCREMENTAL) == previous


@pytest.mark.parametrize(
    ("previous", "largest", "expected"),
    [
        pytest.param(None, datetime(2026, 5, 1, 4), "2026-05-01T04:00:00.000000", id="cursor"),
        pytest.param(None, datetime(2026, 5, 1, 6), "2026-05-01T05:00:00.000000", id="local clock"),
        pytest.param(None, date(2026, 4, 30), "2026-04-30", id="day"),
        pytest.param(None, date(2026, 5, 2), "2026-05-01", id="never past today"),
        pytest.param("2026-04-30", date(2026, 4, 29), "2026-04-30", id="never back"),
    ],
)
def test_a_cursor_without_time_zone_is_held_against_the_clock_of_its_own_zone(
    previous: str | None, largest: Mark, expected: str
) -> None:
    assert next_watermark(previous, largest, Floor(clock=CLOCK), IN_BERLIN) == expected


@pytest.mark.parametrize(
    ("previous", "largest", "expected"),
    [(None, 7, "7"), ("7", 9, "9"), ("9", 10, "10"), ("10", 9, "10"), ("7", None, "7")],
)
@pytest.mark.parametrize("prepared", [False, True])
def test_an_integer_watermark_is_the_largest_cursor_whatever_is_open(
    previous: str | None, largest: int | None, expected: str, prepared: bool
) -> None:
    floor = Floor(clock=CLOCK, oldest=CLOCK - HOUR, prepared=prepared)
    assert next_watermark(previous, largest, floor, EVENTS) == expected


@pytest.mark.parametrize(
    ("table", "kind", "watermark", "expected"),
    [
        (INCREMENTAL, Kind.TIMESTAMPTZ, text(CLOCK), CLOCK - timedelta(minutes=10)),
        (WITH_LAG, Kind.TIMESTAMPTZ, text(CLOCK), CLOCK - HOUR),
        (
            INCREMENTAL,
            Kind.TIMESTAMPTZ,
            "0001-01-01T00:00:00.000000+00:00",
            datetime.min.replace(tzinfo=UTC),
        ),
        (IN_BERLIN, Kind.TIMESTAMP, "2026-05-01T05:00:00.000000", datetime(2026, 5, 1, 4)),
        (IN_BERLIN, Kind.DATE, "2026-05-01", date(2026, 4, 30)),
        (IN_BERLIN, Kind.DATE, "0001-01-01", date.min),
        (EVENTS, Kind.INT64, "7", -93),
    ],
)
def test_a_read_starts_the_lag_before_the_watermark(
    table: Table, kind: Kind, watermark: str, expected: Value
) -> None:
    assert lower_bound(watermark, table, Field("updated_at", kind)) == expected


@pytest.mark.parametrize("minutes", range(0, 240, 7))
def test_no_local_time_after_the_floor_is_below_the_bound_when_clocks_are_set_back(
    minutes: int,
) -> None:
    cursor = Field("updated_at", Kind.TIMESTAMP)
    clock = datetime(2026, 10, 24, 23, tzinfo=UTC) + timedelta(minutes=minutes)
    reached = next_watermark(None, datetime(2027, 1, 1), Floor(clock=clock), IN_BERLIN)
    assert reached is not None
    later = (clock + timedelta(minutes=number) for number in range(240))
    written = min(instant.astimezone(BERLIN).replace(tzinfo=None) for instant in later)
    assert lower_bound(reached, IN_BERLIN, cursor) <= written  # type: ignore[operator]


def test_an_incremental_read_takes_new_rows_and_those_without_a_cursor() -> None:
    slices = changed_since(Field('a"b', Kind.TIMESTAMPTZ), CLOCK)
    first, last = "'0001-01-01 00:00:00+00:00'", "'9999-12-31 23:59:59.999999+00:00'"
    assert [part.at_source.as_string() for part in slices] == [
        f"""("a""b" between '2026-05-01 03:00:00+00:00'::timestamptz and {last}::timestamptz)""",
        f'("a""b" is null or "a""b" < {first}::timestamptz or "a""b" > {last}::timestamptz)',
    ]


def test_an_unknown_floor_is_refused_with_its_remedy_and_the_lag() -> None:
    floor = Floor(clock=CLOCK, unknown="others are hidden", remedy="GRANT x TO y;")
    with pytest.raises(ConfigError, match=r"orders: .*others are hidden.*GRANT x.*lag: 1h"):
        check_floor(floor, INCREMENTAL)


@pytest.mark.parametrize(
    ("table", "unknown"),
    [(WITH_LAG, "a standby"), (FULL, "a standby"), (EVENTS, "a standby"), (INCREMENTAL, None)],
)
def test_a_floor_is_accepted_when_known_or_unneeded_or_lagged(
    table: Table, unknown: str | None
) -> None:
    check_floor(Floor(clock=CLOCK, unknown=unknown), table)
