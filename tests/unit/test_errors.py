"""Expected failures: they travel whole, say what to do and leave no traceback."""

import copy
import logging
import pickle
from collections.abc import Callable

import cloudpickle
import pytest

from tasks import errors, logs
from tasks.errors import DaybreakError, PermanentError, TransientError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DaybreakError)
]
TRAVELS: list[Callable[[DaybreakError], DaybreakError]] = [
    lambda error: pickle.loads(pickle.dumps(error)),
    lambda error: cloudpickle.loads(cloudpickle.dumps(error)),
    copy.copy,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("travel", TRAVELS, ids=["pickle", "cloudpickle", "copy"])
@pytest.mark.parametrize("table", [None, "orders"])
def test_an_error_arrives_whole(
    kind: type[DaybreakError],
    travel: Callable[[DaybreakError], DaybreakError],
    table: str | None,
) -> None:
    sent = kind("It broke.", remedy="Mend it.", table=table)
    arrived = travel(sent)
    assert type(arrived) is kind
    assert vars(arrived) == vars(sent)
    assert str(arrived) == str(sent)


@pytest.mark.parametrize(
    ("table", "remedy", "expected"),
    [
        ("orders", "Mend it.", "orders: It broke. Mend it."),
        (None, "Mend it.", "It broke. Mend it."),
        (None, "", "It broke."),
    ],
)
def test_a_message_names_the_table_and_the_remedy(
    table: str | None, remedy: str, expected: str
) -> None:
    assert str(DaybreakError("It broke.", remedy=remedy, table=table)) == expected


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not DaybreakError])
def test_every_error_is_either_permanent_or_transient(kind: type[DaybreakError]) -> None:
    assert issubclass(kind, PermanentError) != issubclass(kind, TransientError)


@pytest.mark.parametrize("logger", [logs.log, logging.getLogger("someone.else")])
@pytest.mark.parametrize(
    ("error", "traced"),
    [
        (DaybreakError("It broke.", remedy="Mend it."), False),
        (TransientError("It broke.", remedy="Mend it."), False),
        (ValueError("It broke."), True),
    ],
)
def test_only_an_unexpected_error_leaves_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture, logger: logging.Logger, error: Exception, traced: bool
) -> None:
    with caplog.at_level(logging.ERROR):
        try:
            raise error
        except Exception:
            logger.exception("the night failed")
    [record] = caplog.records
    assert (record.exc_info is not None) is traced
    assert ("Traceback" in caplog.text) is traced
