"""Where progress is written: one logger, `daybreak`, for every folder.

Prefect sends its records to the API (`logging.extra_loggers` in pyproject.toml); the command adds
a plain line on the terminal. Expected failures lose their stack trace everywhere.
"""

import logging
import sys
from typing import Any

from tasks.errors import DaybreakError

log = logging.getLogger("daybreak")
_make_record = logging.getLogRecordFactory()


def _without_expected_trace(*arguments: Any, **details: Any) -> logging.LogRecord:
    """Drops the stack trace of a DaybreakError, whoever logs it; its message says what to do."""
    record = _make_record(*arguments, **details)
    if record.exc_info and isinstance(record.exc_info[1], DaybreakError):
        record.exc_info = None
    return record


# A factory and not a filter, since Prefect replaces its handlers when a run starts.
logging.setLogRecordFactory(_without_expected_trace)


def show_progress() -> None:
    """Shows our own lines on the terminal in place of Prefect's, which go on to its API."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL)
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    log.addHandler(shown)
    log.setLevel(logging.INFO)
