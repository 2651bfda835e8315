"""Locks between processes and threads, which end at the latest with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How to lock: alone or with others, waiting or not.
ALONE, SHARED, AT_ONCE = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Holds a lock on a folder.

    Raises:
        BlockingIOError: When it can't be had AT_ONCE.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)
