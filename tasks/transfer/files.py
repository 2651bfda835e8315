"""Parquet staging files: one folder an attempt, so that leftovers of a dead one are never read."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, Self, get_args

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import PermanentError
from tasks.locks import ALONE, AT_ONCE, SHARED, locked

# Arrow's own pool keeps what was freed, a tenth of a transfer's memory.
pa.set_memory_pool(pa.system_memory_pool())

Kind = Literal["rows", "letters", "keys"]
Compression = Literal["snappy", "zstd"]


@dataclass(frozen=True)
class StagingFile:
    """A complete file, in the folder of its kind, and how many rows it holds."""

    path: Path
    rows: int


HandOver = Callable[[StagingFile], None]


class StagingFiles:
    """The Parquet files of one attempt at one table; gone when the context ends.

    Args:
        folder: Made for them, the attempt's own.
        size: Bytes at which a file is complete and its stream begins another.
        compression: snappy for files that stay on this machine, zstd for those that leave it.
        hand_over: Called with each complete file, in its stream's thread.
    """

    def __init__(
        self, folder: Path, size: int, compression: Compression, hand_over: HandOver
    ) -> None:
        self._folder = folder
        self._size = size
        self._compression = compression
        self._hand_over = hand_over
        self.rows: list[StagingFile] = []
        self.letters: list[StagingFile] = []
        self.keys: list[StagingFile] = []
        # One count for all streams: Snowflake skips a file whose name it has loaded before.
        self._numbers = count()

    @contextmanager
    def open(self) -> Iterator[None]:
        with ExitStack() as held:
            with _disk(self._folder):
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self._folder.parent, SHARED))
                for kind in get_args(Kind):
                    (self._folder / kind).mkdir(parents=True)
            held.callback(shutil.rmtree, self._folder, ignore_errors=True)
            yield

    def stream(self, kind: Kind) -> "Stream":
        """The files of one reader; `kind` says of what: rows, dead letters or hashes of keys."""
        complete = {"rows": self.rows, "letters": self.letters, "keys": self.keys}[kind]

        def done(file: StagingFile) -> None:
            self._hand_over(file)
            complete.append(file)

        return Stream(self._folder / kind, self._numbers, self._size, self._compression, done)


class Stream:
    """Writes chunks to one file after the other, each chunk as a row group.

    The last file is complete when the context ends without an error.
    """

    def __init__(
        self,
        folder: Path,
        numbers: Iterator[int],
        size: int,
        compression: Compression,
        done: HandOver,
    ) -> None:
        self._folder = folder
        self._numbers = numbers
        self._size = size
        self._compression = compression
        self._done = done
        self._file: _ParquetFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if error is None:
            self._finish()
        elif self._file is not None:
            with suppress(OSError):
                self._file.close()

    def write(self, chunk: pl.DataFrame) -> None:
        """Adds a chunk, and completes the file when it is large enough.

        Raises:
            PermanentError: When the disk is full or can't be written.
        """
        if not len(chunk):
            return
        table = as_arrow(chunk)
        with _disk(self._folder):
            if self._file is None:
                path = self._folder / f"{next(self._numbers):06d}.parquet"
                self._file = _ParquetFile(path, table.schema, self._compression)
            size = self._file.add(table)
        if size >= self._size:
            self._finish()

    def _finish(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        with _disk(self._folder):
            file.close()
        self._done(StagingFile(file.path, file.rows))


class _ParquetFile:
    """A file that is being written."""

    def __init__(self, path: Path, schema: pa.Schema, compression: Compression) -> None:
        self.path = path
        self.rows = 0
        self._sink = pa.OSFile(str(path), "wb")
        # Staging is read once: statistics and dictionaries cost more than they save.
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression=compression,
            write_statistics=False,
            use_dictionary=False,
        )

    def add(self, table: pa.Table) -> int:
        """Writes a row group; returns the file's size so far."""
        self._writer.write_table(table)
        self.rows += len(table)
        return int(self._sink.tell())

    def close(self) -> None:
        with self._sink:
            self._writer.close()


def as_arrow(chunk: pl.DataFrame) -> pa.Table:
    """The chunk with times in microseconds, which is what PostgreSQL has and warehouses read."""
    table = chunk.to_arrow()
    return table.cast(
        pa.schema(
            field.with_type(pa.time64("us")) if pa.types.is_time64(field.type) else field
            for field in table.schema
        )
    )


def sweep(root: Path) -> None:
    """Removes the folders that killed attempts left below `root`, unless one is in use there."""
    with suppress(FileNotFoundError, BlockingIOError), locked(root, ALONE | AT_ONCE):
        for folder in root.iterdir():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        said = "the disk is full" if full else os.strerror(error.errno) if error.errno else error
        raise PermanentError(
            f"Staging in {folder} failed: {said}.",
            remedy="Free space there, or move the warehouse's folder, and run again."
            if full
            else "Make that folder writable.",
        ) from None
