"""Reads a table's queries in parallel on one snapshot, as Arrow turned into Polars chunks."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pyarrow as pa
from psycopg import sql

from tasks.errors import Interrupted, StaleSnapshot
from tasks.source.catalog import Relation, introspect
from tasks.source.connection import Source, source_errors
from tasks.source.snapshot import (
    CAN_NOT_IMPORT,
    Snapshot,
    check_same_snapshot,
    import_statements,
)

# What a stream gathers before it hands a chunk on, in bytes of Arrow memory.
CHUNK_BYTES = 8 * 1024 * 1024
POLL_SECONDS = 0.2

#: Set on Ctrl-C or SIGTERM; every reader's query is cancelled.
interrupted = threading.Event()

Handle = Callable[[pl.DataFrame], None]
Stream = Callable[[], AbstractContextManager[Handle]]


@contextmanager
def guarded(source: Source, snapshot: Snapshot, table: str, relation: Relation) -> Iterator[None]:
    """Holds ACCESS SHARE on all that is read, and checks that nothing moved before.

    A snapshot does not protect a heap from DDL: after CLUSTER, VACUUM FULL or TRUNCATE the same
    ranges return rows twice or not at all. The check reads the catalog anew, since the snapshot's
    transaction would show it as it was. LOCK TABLE knows no materialised view and no foreign table;
    a SELECT locks these too, and what a view or a parent is made of.

    Raises:
        StaleSnapshot: When oid, files or columns differ from what was introspected.
        TransientError: When another session holds a conflicting lock for too long.
    """
    # The session ends inside, since that is where the loss of its lock may show first.
    with source_errors(table), source.connect() as session:
        session.execute("begin read only")
        session.execute(
            sql.SQL("select from {} limit 0").format(sql.Identifier(relation.schema, relation.name))
        )
        now = introspect(session, relation.schema, relation.name)
        if not now.storage == relation.storage == snapshot.shapes.get(table):
            raise StaleSnapshot(
                "The table was altered or rewritten after the run's snapshot.",
                remedy="It is read again on a new snapshot.",
                table=table,
            )
        yield


def fetch(source: Source, snapshot: Snapshot, table: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of one query with a short answer, on the snapshot; raises as `read` does."""
    with source.connect_adbc() as session, source_errors(table):
        _join(session, snapshot, table)
        with session.cursor() as cursor:
            cursor.execute(query)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows


def read(
    source: Source, snapshot: Snapshot, table: str, queries: list[str], streams: int, stream: Stream
) -> None:
    """Runs every query once, over at most `streams` sessions that share the snapshot.

    Where it can't be shared, all queries see one instant all the same, since one session runs them.

    Args:
        stream: Opened in each stream's thread; what it yields is called with chunks of about
            `CHUNK_BYTES`, columns as the queries return them.

    Raises:
        StaleSnapshot: When the snapshot can't be imported any more.
        Interrupted: When the run was told to stop.
        DaybreakError: For whatever else the source answers.
    """
    if not queries:  # of partitions, none of which changed
        return
    waiting: SimpleQueue[str] = SimpleQueue()
    for query in queries:
        waiting.put(query)
    sessions = _Sessions()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with (
                stream() as handle,
                source_errors(table),
                sessions.opened(source) as session,
            ):
                _join(session, snapshot, table)
                for chunk in _chunks(_batches(session, waiting)):
                    handle(chunk)
        except BaseException as error:
            failures.append(error)

    readers = min(streams, len(queries)) if snapshot.shared else 1
    with ThreadPoolExecutor(readers, f"read-{table}") as pool:
        running = [pool.submit(run) for _ in range(readers)]
        while wait(running, POLL_SECONDS).not_done:
            if failures or interrupted.is_set():
                sessions.cancel()
    if interrupted.is_set():
        raise Interrupted("The run was stopped.", remedy="Run it again.", table=table)
    if failures:
        raise failures[0]


class _Sessions:
    """The open sessions of a table's readers, whose queries can be cancelled from outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[adbc.Connection] = []

    @contextmanager
    def opened(self, source: Source) -> Iterator[adbc.Connection]:
        with source.connect_adbc() as session:
            with self._lock:
                self._open.append(session)
            try:
                yield session
            finally:
                with self._lock:
                    self._open.remove(session)

    def cancel(self) -> None:
        with self._lock:
            for session in self._open:
                # A server that is gone can't be told to stop, and what failed first is to be told.
                with suppress(adbc.Error):
                    session.adbc_cancel()


def _join(session: adbc.Connection, snapshot: Snapshot, table: str) -> None:
    with session.cursor() as cursor:
        try:
            for statement in import_statements(snapshot):
                cursor.execute(statement)
        except adbc.Error as error:
            if error.sqlstate not in CAN_NOT_IMPORT:
                raise
            raise StaleSnapshot(
                "The run's snapshot is gone, since the session that kept it has ended.",
                remedy="The table is read again on a new snapshot.",
                table=table,
            ) from None
        cursor.execute("select pg_current_snapshot()::text")
        (seen,) = cursor.fetchone() or ("",)
        check_same_snapshot(str(seen), snapshot)


def _batches(session: adbc.Connection, waiting: "SimpleQueue[str]") -> Iterator[pa.RecordBatch]:
    while True:
        try:
            query = waiting.get_nowait()
        except Empty:
            return
        with session.cursor() as cursor:
            cursor.execute(query)
            # The driver's own reader: pyarrow's, which is the public one, drops the SQLSTATE.
            for batch in cursor._results.reader:
                if batch.num_rows:
                    yield batch


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    gathered: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        gathered.append(batch)
        size += batch.nbytes
        if size >= CHUNK_BYTES:
            yield _frame(gathered)
            gathered, size = [], 0
    if gathered:
        yield _frame(gathered)


def _frame(batches: list[pa.RecordBatch]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches(batches), rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame
