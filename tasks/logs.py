"""Where progress is written: one logger, `daybreak`, for every folder.

Prefect sends its records to the API (`logging.extra_loggers` in pyproject.toml); the command adds
a line on the terminal, plain where it is none. Expected failures lose their stack trace everywhere.
"""

import logging
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

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


class Terminal(Console):
    """A terminal whose cursor is left alone, since a killed run could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - rich's signature
        return False


class LiveLines(logging.Handler):
    """Lines on a terminal; while something is shown in `bars`, they stand above it."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[reading]}"),
            console=Terminal(markup=False, emoji=False, highlight=False),
            refresh_per_second=2,
            transient=True,
        )

    def emit(self, record: logging.LogRecord) -> None:
        self.bars.console.print(self.format(record), soft_wrap=True)


def live_bars() -> Progress | None:
    """The live display of the terminal, where there is one."""
    return next((each.bars for each in log.handlers if isinstance(each, LiveLines)), None)


def show_progress() -> None:
    """Shows our own lines on the terminal in place of Prefect's, which go on to its API."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL)
    is_live = sys.stdout.isatty() and not Console().is_dumb_terminal
    shown = LiveLines() if is_live else logging.StreamHandler(sys.stdout)
    shown.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    log.addHandler(shown)
    log.setLevel(logging.INFO)
