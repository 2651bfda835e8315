"""When a table is tried again: after a TransientError only, ever later, never all at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.tasks import Task

from tasks.config import Defaults
from tasks.errors import TransientError

LONGEST = timedelta(minutes=30)
JITTER = 0.5
#: What Prefect's client raises when its server can't be reached; and the names that a state has.
UNREACHED = (httpx.TransportError, ConcurrencySlotAcquisitionError)
LOST = {
    kind.__name__
    for kind in (*vars(httpx).values(), ConcurrencySlotAcquisitionError)
    if isinstance(kind, type) and issubclass(kind, UNREACHED)
}
WAIT = "See that it runs; a retry may find it again."


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure is one that a rerun can help."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


def delays(defaults: Defaults) -> list[float]:
    """Seconds before each retry: doubling from `retry_delay`, at most half an hour."""
    first = min(defaults.retry_delay, LONGEST)
    waits = (first * 2**number for number in range(defaults.retries))
    return [min(wait, LONGEST).total_seconds() for wait in waits]


@contextmanager
def server_errors() -> Iterator[None]:
    """Makes a Prefect server that can't be reached, as while it restarts, a TransientError."""
    try:
        yield
    except UNREACHED as error:
        said = f"Prefect's server did not answer: {type(error).__name__}."
        raise TransientError(said, remedy=WAIT) from None
