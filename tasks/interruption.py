"""Ctrl-C and SIGTERM: one sentence and exit code 130, from the first import on."""

import os
import signal
from types import FrameType

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def say_interrupted() -> int:
    """Says what an interruption leaves behind, and returns the exit code."""
    print("\nInterrupted: nothing half-read was published. Run it again when you like.", flush=True)
    return INTERRUPTED


def leave_at_once() -> None:
    """Makes an interruption end the process as long as nothing has been started."""
    for number in SIGNALS:
        signal.signal(number, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(say_interrupted())
