"""What tests do to a night from outside."""

import itertools
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


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


def stripped(client: socket.socket, parameter: bytes) -> bytes:
    """A client's first message, which has the version and then names and values, less one.

    https://www.postgresql.org/docs/18/protocol-message-formats.html, StartupMessage.
    """
    (length,) = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))
    message = client.recv(length - 4, socket.MSG_WAITALL)
    parts = message[4:-1].split(b"\0")
    kept = [pair for pair in zip(parts[::2], parts[1::2], strict=False) if pair[0] != parameter]
    body = message[:4] + b"".join(b"%s\0%s\0" % pair for pair in kept) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def forward(here: socket.socket, there: socket.socket) -> None:
    """Hands on what comes until one side closes."""
    try:
        while data := here.recv(65536):
            there.sendall(data)
    except OSError:
        pass
    finally:
        there.close()


def balance(listener: socket.socket, urls: list[str], without: bytes = b"") -> None:
    """Leads each connection to the next server, until the listener closes.

    Args:
        without: A parameter of the start that no server gets to see.
    """
    for url in itertools.cycle(urls):
        try:
            client, _ = listener.accept()
        except OSError:
            return
        info = conninfo_to_dict(url)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{info['host']}/.s.PGSQL.{info['port']}")
        server.sendall(stripped(client, without))
        for pair in ((client, server), (server, client)):
            threading.Thread(target=forward, args=pair, daemon=True).start()


WRITES: list[LiteralString] = [
    "insert into t (id, note, at) values (%(new)s, 'new', clock_timestamp())",
    "update t set note = 'changed', at = clock_timestamp() where id %% 50 = %(row)s %% 50",
    "delete from t where id = %(row)s",
]


@contextmanager
def writers(url: str) -> Iterator[Callable[[], int]]:
    """Two sessions that insert, change and delete rows of t until the context ends.

    It has id, note and a timestamp at. Yields how many changes they have committed.
    """
    numbers, ended, done = itertools.count(10_000), threading.Event(), list[int]()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as session:
            while not ended.is_set():
                new = next(numbers)
                row = random.Random(new).randrange(1, 6_000)
                session.execute(WRITES[new % len(WRITES)], {"new": new, "row": row})
                done.append(new)

    with ThreadPoolExecutor() as pool:
        running = [pool.submit(write) for _ in range(2)]
        try:
            yield lambda: len(done)
        finally:
            ended.set()
            for each in running:
                each.result()
