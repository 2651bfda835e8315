"""What tests do to a night from outside."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql


def gated(view: str, table: str) -> sql.Composed:
    """Makes a view of a table that can't be read while somebody holds the advisory lock 7."""
    return sql.SQL(
        "create view {} as select t.* from {} t, (select pg_advisory_xact_lock_shared(7)) gate"
    ).format(sql.Identifier(view), sql.Identifier(table))


@contextmanager
def blocked(source_url: str) -> Iterator[Callable[[], int]]:
    """Keeps readers waiting; yields what waits until one is there and returns its pid."""
    waiting = "select pid from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(source_url) as session:
        session.execute("select pg_advisory_xact_lock(7)")

        def until_read() -> int:
            while (found := session.execute(waiting).fetchone()) is None:
                time.sleep(0.05)
            return int(found[0])

        yield until_read
