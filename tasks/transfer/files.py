"""Parquet staging files: one folder an attempt, so that leftovers of a dead one are never read."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from tasks.errors import PermanentError


class StagingFiles:
    """The Parquet files of one attempt at one table; gone when the context ends."""

    def __init__(self, root: Path, table: str, attempt: str) -> None:
        self._table = table
        self._folder = root / f"{table}__{attempt}"

    @contextmanager
    def open(self) -> Iterator["StagingFiles"]:
        with self._disk():
            self._folder.mkdir(parents=True)
        try:
            yield self
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, kind: str, stream: int, number: int, chunk: pl.DataFrame) -> Path:
        """Writes one chunk; `kind` is rows or letters.

        Raises:
            PermanentError: When the disk is full or can't be written.
        """
        path = self._folder / f"{kind}-{stream}-{number:06d}.parquet"
        with self._disk():
            # Staging is read once, on this machine: statistics and strong compression cost more
            # than they save.
            chunk.write_parquet(path, compression="snappy", statistics=False)
        return path

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pl.exceptions.PolarsError) as error:
            number = _errno(error)
            full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise PermanentError(
                f"Staging in {self._folder.parent} failed:"
                f" {'the disk is full' if full else os.strerror(number) if number else error}.",
                remedy="Free space there, or move the warehouse's folder, and run again."
                if full
                else "Make that folder writable.",
                table=self._table,
            ) from None


def _errno(error: Exception) -> int | None:
    """The system's number of an error, which Polars only spells."""
    if isinstance(error, OSError):
        return error.errno
    spelled = re.search(r"os error (\d+)", str(error))
    return int(spelled[1]) if spelled else None
