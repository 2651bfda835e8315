"""Prefect's heartbeats of a flow, which cost up to a second at its end: so long one may sleep."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings


@contextmanager
def no_heartbeat() -> Iterator[None]:
    """For subflows, whose run has its own, and for runs that somebody watches on a terminal."""
    if PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
