"""The judgements before a publish."""

import pytest

from tasks.errors import BreakerTripped, PermanentError
from tasks.quality.audit import (
    DEAD,
    FEWEST_ROWS,
    check,
    check_counts,
    growth_breaches,
    loss_breaches,
    ratio_breaches,
    shrink_breaches,
    size_breaches,
)
from tasks.table import Breaker


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
        pytest.param(Breaker(max_null_ratio={"a": 0}), 100, 0, {"b": 9}, id="not named"),
    ],
)
def test_a_fit_batch_passes(breaker: Breaker, read: int, dead: int, nulls: dict[str, int]) -> None:
    assert list(ratio_breaches(breaker, read, dead, nulls, {})) == []


@pytest.mark.parametrize(
    ("breaker", "dead", "nulls", "told"),
    [
        (
            Breaker(),
            2,
            {},
            "2 of 100 rows broke a rule (2.00%), more than max_dead_letter_ratio 1.00%,"
            " such as 7, 8",
        ),
        (
            Breaker(max_null_ratio=0.1),
            0,
            {"a": 0, "b": 11},
            "b is NULL in 11 of 100 rows (11.00%), more than max_null_ratio 10.00%, such as 9",
        ),
        (
            Breaker(max_null_ratio={"a": 0}),
            0,
            {"a": 1},
            "a is NULL in 1 of 100 rows (1.00%), more than max_null_ratio 0.00%",
        ),
    ],
)
def test_a_bad_batch_is_told_with_figures_limit_and_keys(
    breaker: Breaker, dead: int, nulls: dict[str, int], told: str
) -> None:
    samples = {DEAD: ["7", "8"], "b": ["9"]}
    assert list(ratio_breaches(breaker, 100, dead, nulls, samples)) == [told]


@pytest.mark.parametrize(
    ("dead", "nulls", "breaches"),
    [(10, 0, 0), (11, 0, 1), (0, 100, 0), (0, 101, 1), (11, 101, 2)],
)
def test_while_rows_are_read_a_breach_is_one_that_no_further_row_can_heal(
    dead: int, nulls: int, breaches: int
) -> None:
    breaker = Breaker(max_dead_letter_ratio=0.01, max_null_ratio={"a": 0.1})
    told = list(ratio_breaches(breaker, 200, dead, {"a": nulls}, {}, most=1000))
    assert len(told) == breaches
    assert all("so far, and the table holds 1,000 at most" in each for each in told)


@pytest.mark.parametrize(
    ("ratio", "before", "after", "breached"),
    [
        (0.5, 100, 50, False),
        (0.5, 0, 0, False),
        (0.5, 0, 10, False),
        (0, 10, 10, False),
        (1, 100, 0, False),
        (0.5, 10, 100, False),
        (0.7, 10, 3, False),
        (0.5, 100, 49, True),
        (0.5, 1, 0, True),
        (0, 10, 9, True),
    ],
)
def test_a_replacement_may_lose_up_to_the_shrink_ratio(
    ratio: float, before: int, after: int, breached: bool
) -> None:
    told = list(shrink_breaches(Breaker(max_shrink_ratio=ratio), before, after))
    assert bool(told) == breached
    assert all(f"has {after} rows and the warehouse {before}" in each for each in told)


@pytest.mark.parametrize(
    ("ratio", "before", "after", "breached"),
    [
        (None, 1, 1000, False),
        (0.5, 100, 150, False),
        (0.5, 0, 1000, False),
        (2, 10, 30, False),
        (0, 10, 10, False),
        (0.5, 100, 10, False),
        (0.5, 100, 151, True),
        (0, 10, 11, True),
        (2, 10, 31, True),
    ],
)
def test_a_copy_may_gain_up_to_the_growth_ratio(
    ratio: float | None, before: int, after: int, breached: bool
) -> None:
    told = list(growth_breaches(Breaker(max_growth_ratio=ratio), before, after))
    assert bool(told) == breached
    assert all(f"from {before} to {after} rows" in each for each in told)


@pytest.mark.parametrize(
    ("fewest", "rows", "breached"), [(None, 0, False), (0, 0, False), (5, 5, False), (5, 4, True)]
)
def test_a_batch_may_not_have_fewer_rows_than_are_expected(
    fewest: int | None, rows: int, breached: bool
) -> None:
    assert bool(list(size_breaches(Breaker(min_rows=fewest), rows))) == breached


def test_a_table_is_stopped_with_every_breach_and_the_way_past_them() -> None:
    check("orders", [])
    with pytest.raises(BreakerTripped, match=r"^orders: one\. two\. Nothing .*--force orders\.$"):
        check("orders", ["one", "two"])


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 5), (100, 50), (100, 200)])
def test_parts_may_be_replaced_within_the_limit(before: int, after: int) -> None:
    assert list(loss_breaches(Breaker(), before, after)) == []


def test_parts_that_take_too_much_of_a_copy_are_told() -> None:
    assert list(loss_breaches(Breaker(), 1000, 1)) == [
        "The copy would shrink from 1,000 to 1 rows, by more than max_shrink_ratio 50%"
    ]
