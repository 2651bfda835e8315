"""When a table is tried again."""

from datetime import timedelta

from tasks.config import Defaults
from tasks.retry import delays


def test_waits_double_up_to_half_an_hour() -> None:
    assert delays(Defaults(retries=4, retry_delay=timedelta(minutes=5))) == [300, 600, 1200, 1800]


def test_any_delay_that_may_be_configured_can_be_waited_for() -> None:
    assert delays(Defaults(retries=20, retry_delay=timedelta.max)) == [1800] * 20
