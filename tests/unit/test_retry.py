"""When a table is tried again."""

from datetime import timedelta
from typing import Any, cast

import pytest
from prefect.states import Failed

from tasks import errors
from tasks.config import Defaults
from tasks.errors import DaybreakError, TransientError
from tasks.retry import JITTER, LONGEST, delays, is_transient

EXPECTED = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DaybreakError)
]


def test_waits_double_up_to_half_an_hour() -> None:
    assert delays(Defaults(retries=4, retry_delay=timedelta(minutes=5))) == [300, 600, 1200, 1800]


def test_any_delay_that_may_be_configured_can_be_waited_for() -> None:
    assert delays(Defaults(retries=20, retry_delay=timedelta.max)) == [1800] * 20


def test_the_defaults_are_three_retries_that_wait_no_longer_than_half_an_hour_with_jitter() -> None:
    assert delays(Defaults()) == [300, 600, 1200]
    assert JITTER > 0
    assert max(delays(Defaults())) * (1 + JITTER) <= LONGEST.total_seconds()


def is_retried(error: Exception) -> bool:
    unused = cast(Any, None)
    return is_transient(unused, unused, Failed(data=error))


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_failure_is_tried_again_if_it_is_transient(kind: type[DaybreakError]) -> None:
    assert is_retried(kind("It broke.", remedy="Mend it.")) == issubclass(kind, TransientError)


def test_a_failure_that_nobody_expected_is_not_tried_again() -> None:
    assert not is_retried(ZeroDivisionError())
