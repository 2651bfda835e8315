"""The judgements before a publish."""

import pytest

from tasks.errors import BreakerTripped, PermanentError
from tasks.quality.audit import FEWEST_ROWS, check_breaker, check_counts, check_shrink
from tasks.table import Breaker

LENIENT = Breaker(max_dead_letter_ratio=1)


@pytest.mark.parametrize(("read", "dead", "staged"), [(0, 0, 0), (10, 0, 10), (10, 3, 7)])
def test_counts_agree_when_each_row_is_staged_or_dead(read: int, dead: int, staged: int) -> None:
    check_counts("orders", read, dead, staged)


@pytest.mark.parametrize(("read", "dead", "staged"), [(10, 0, 9), (10, 0, 11), (10, 3, 10)])
def test_a_lost_or_doubled_row_is_refused(read: int, dead: int, staged: int) -> None:
    with pytest.raises(PermanentError, match=f"orders: {read} rows were read and {dead} dead"):
        check_counts("orders", read, dead, staged)


@pytest.mark.parametrize(
    ("breaker", "read", "dead", "nulls"),
    [
        pytest.param(Breaker(), 100, 1, {}, id="at the dead-letter limit"),
        pytest.param(Breaker(), FEWEST_ROWS - 1, 99, {}, id="too few rows to judge"),
        pytest.param(Breaker(), 0, 0, {}, id="no rows"),
        pytest.param(Breaker(), 100, 0, {"a": 100}, id="no null ratio configured"),
        pytest.param(Breaker(max_null_ratio=0.1), 100, 0, {"a": 10}, id="at the null limit"),
        pytest.param(Breaker(max_null_ratio={"a": 0}), 100, 0, {"a": 0, "b": 9}, id="not named"),
    ],
)
def test_a_fit_batch_passes(breaker: Breaker, read: int, dead: int, nulls: dict[str, int]) -> None:
    check_breaker("orders", breaker, read, dead, nulls)


@pytest.mark.parametrize(
    ("breaker", "dead", "nulls", "message"),
    [
        (Breaker(), 2, {}, r"2 of 100 rows broke a rule \(2.00%\).*max_dead_letter_ratio 1.00%"),
        (
            Breaker(max_null_ratio=0.1),
            0,
            {"a": 0, "b": 11},
            r"b is NULL in 11 of 100 rows \(11.00%\), more than max_null_ratio 10.00%",
        ),
        (Breaker(max_null_ratio={"a": 0}), 0, {"a": 1}, "a is NULL in 1 of 100 rows"),
    ],
)
def test_a_bad_batch_trips_the_breaker_with_value_and_limit(
    breaker: Breaker, dead: int, nulls: dict[str, int], message: str
) -> None:
    with pytest.raises(BreakerTripped, match=f"orders: {message}"):
        check_breaker("orders", breaker, 100, dead, nulls)


@pytest.mark.parametrize(
    ("ratio", "before", "after"),
    [
        (0.5, 100, 50),
        (0.5, 0, 0),
        (0.5, 0, 10),
        (0, 10, 10),
        (1, 100, 0),
        (0.5, 10, 100),
        (0.7, 10, 3),
    ],
)
def test_a_replacement_may_lose_up_to_the_shrink_ratio(
    ratio: float, before: int, after: int
) -> None:
    check_shrink("orders", Breaker(max_shrink_ratio=ratio), before, after)


@pytest.mark.parametrize(("ratio", "before", "after"), [(0.5, 100, 49), (0.5, 1, 0), (0, 10, 9)])
def test_a_replacement_that_loses_more_is_refused_with_both_counts(
    ratio: float, before: int, after: int
) -> None:
    with pytest.raises(BreakerTripped, match=f"has {after} rows and the warehouse {before}"):
        check_shrink("orders", Breaker(max_shrink_ratio=ratio), before, after)
