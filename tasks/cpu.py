"""The process's CPU time, shared among the attempts at tables that are at work in it.

Threads of Polars, Arrow and DuckDB work for any table, so time can't be told apart by thread: each
moment's is shared equally by those at work then, and all shares together are what was spent.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class CpuShare:
    """One attempt's share, in seconds."""

    def __init__(self) -> None:
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """What fell to it by now."""
        with _lock:
            _settle()
            return self._seconds


_lock = threading.Lock()
_at_work: set[CpuShare] = set()
_settled = [0.0]


def _settle() -> None:
    """Deals out what was spent since the last time; the lock is held."""
    now = time.process_time()
    for share in _at_work:
        share._seconds += (now - _settled[0]) / len(_at_work)
    _settled[0] = now


@contextmanager
def at_work(shares: Iterable[CpuShare]) -> Iterator[None]:
    """Counts the shares in while the block lasts."""
    counted = set(shares)
    with _lock:
        _settle()
        _at_work.update(counted)
    try:
        yield
    finally:
        with _lock:
            _settle()
            _at_work.difference_update(counted)
