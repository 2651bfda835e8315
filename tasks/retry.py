"""When a table is tried again: after a TransientError only, ever later, never all at once."""

from datetime import timedelta
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from tasks.config import Defaults
from tasks.errors import TransientError

LONGEST = timedelta(minutes=30)
JITTER = 0.5


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure is one that a rerun can help."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


def delays(defaults: Defaults) -> list[float]:
    """Seconds before each retry: doubling from `retry_delay`, at most half an hour."""
    first = min(defaults.retry_delay, LONGEST)
    waits = (first * 2**number for number in range(defaults.retries))
    return [min(wait, LONGEST).total_seconds() for wait in waits]
