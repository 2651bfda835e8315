"""One instant of the source for the whole run: the floor noted first, then the exported snapshot.

A row can commit after the snapshot with a timestamp from before it, since `now()` is its
transaction's start. So the floor is noted on an autocommit connection *before* the snapshot is
taken: whatever commits later carries a cursor at or above it.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from pydantic import BaseModel, ConfigDict

from tasks.errors import PermanentError, StaleSnapshot
from tasks.source.catalog import Relation
from tasks.source.connection import Source, source_errors, translate

OLDEST = """
select least(xact_start, query_start), pid, usename, query_start
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and state is distinct from 'idle'
  and coalesce(xact_start, query_start) is not null
  and backend_type not in ('autovacuum worker', 'walsender')
order by 1 limit 1
"""
# Where activity is not tracked, a session does not show when its transaction began.
UNSEEN = """
select pg_is_in_recovery(), not pg_has_role('pg_read_all_stats', 'usage'),
       (select quote_ident(usename) from pg_stat_activity
        where datname = current_database() and state = 'disabled' limit 1),
       quote_ident(current_user)
"""


# What a server answers to the name of a snapshot that it does not know, or can't let in.
CAN_NOT_IMPORT = ("22023", "42704", "55000")


class Floor(BaseModel):
    """What the watermark may not pass.

    `oldest` is the start of the oldest open transaction, None when none is open, and `culprit` who
    opened it. `unknown` says why the floor can't be known and `remedy` what to do about it;
    `prepared` that a prepared transaction of unknown start is open. All times are UTC.
    """

    model_config = ConfigDict(frozen=True)
    clock: datetime
    oldest: datetime | None = None
    culprit: str | None = None
    prepared: bool = False
    unknown: str | None = None
    remedy: str | None = None


class Snapshot(BaseModel):
    """An exported snapshot; it holds no secret, so it may travel as a flow parameter.

    Where it is not `shared`, since other sessions can't import it, each table is read at an instant
    of its own by a single session, and the snapshot only says what the floor was before.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    visible: str
    lsn: str
    taken_at: datetime
    floor: Floor
    shapes: dict[str, str]
    shared: bool = True


def note_floor(connection: psycopg.Connection) -> Floor:
    """Notes clock, oldest open transaction and prepared ones, in this order."""
    with source_errors():
        (clock,) = _one(connection, "select clock_timestamp()")
        oldest = connection.execute(OLDEST).fetchone()
        (prepared,) = _one(
            connection,
            "select exists (select from pg_prepared_xacts where database = current_database())",
        )
        unknown, remedy = _unseen(*_one(connection, UNSEEN))
    culprit = oldest and f"pid {oldest[1]}, user {oldest[2]}, query started {oldest[3]}"
    return Floor(
        clock=clock,
        oldest=oldest[0] if oldest else None,
        culprit=culprit,
        prepared=prepared,
        unknown=unknown,
        remedy=remedy,
    )


def _unseen(
    standby: bool, hidden: bool, untracked: str | None, role: str
) -> tuple[str | None, str | None]:
    """Why the oldest open transaction may not be among those seen, and what to do about it."""
    if standby:
        return (
            "the source is a standby, where the primary's open transactions don't show",
            "Read from the primary",
        )
    if hidden:
        return (
            f"other sessions are hidden from {role}",
            f"GRANT pg_read_all_stats TO {role};",
        )
    if untracked:
        return (
            f"what sessions of {untracked} do is not tracked",
            f"ALTER ROLE {untracked} SET track_activities = on;",
        )
    return None, None


class Keeper:
    """Keeps the run's snapshot open and hands it to every table; replaces it when it is lost.

    Args:
        source: The database.
        introspect: Reads the relations, keyed by table name, *before* each snapshot is taken, so
            that a table rewritten after that is noticed by whoever reads it.
    """

    def __init__(
        self,
        source: Source,
        introspect: Callable[[psycopg.Connection], dict[str, Relation]],
    ) -> None:
        self._source = source
        self._introspect = introspect
        self._lock = threading.Lock()
        self._session: psycopg.Connection | None = None
        self._opened: list[psycopg.Connection] = []
        self.relations: dict[str, Relation] = {}

    def __enter__(self) -> Self:
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in self._opened:
            session.close()

    def current(self) -> Snapshot:
        """The run's snapshot; a new one when it was discarded or its session died."""
        with self._lock:
            if not self._alive():
                self._take()
            return self._snapshot

    def discard(self, snapshot: Snapshot) -> None:
        """Hands out another from now on; tables that were given this one still find it."""
        with self._lock:
            if self._snapshot.id == snapshot.id:
                self._session = None

    def _alive(self) -> bool:
        try:
            return bool(self._session and self._session.execute("select 1").fetchone())
        except psycopg.Error:
            return False

    def _take(self) -> None:
        self._session = session = self._source.connect()
        self._opened.append(session)
        with source_errors():
            (version,) = _one(session, "select current_setting('server_version_num')::int")
            if not 140000 <= version < 190000:
                raise PermanentError(
                    f"The source is PostgreSQL {version // 10000}.",
                    remedy="Daybreak reads PostgreSQL 14 to 18.",
                )
        self.relations = self._introspect(session)
        floor = note_floor(session)
        with source_errors():
            session.execute("begin isolation level repeatable read, read only")
            name, visible, taken_at = _one(
                session, "select pg_export_snapshot(), pg_current_snapshot()::text, now()"
            )
            (lsn,) = _one(
                session,
                "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()"
                " else pg_current_wal_lsn() end::text",
            )
        snapshot = Snapshot(
            id=name,
            visible=visible,
            lsn=lsn,
            taken_at=taken_at,
            floor=floor,
            shapes={table: relation.storage for table, relation in self.relations.items()},
        )
        self._snapshot = snapshot if self._is_shared(snapshot) else _unshared(snapshot)

    def _is_shared(self, snapshot: Snapshot) -> bool:
        """Whether another session sees the same instant: not through some poolers and balancers."""
        with self._source.connect() as other:
            try:
                other.execute("begin")
                for statement in import_statements(snapshot):
                    other.execute(statement.encode())
                (seen,) = _one(other, "select pg_current_snapshot()::text")
            except psycopg.errors.Error as error:
                if error.sqlstate not in CAN_NOT_IMPORT:
                    raise translate(error, None) from None
                return False
        return bool(seen == snapshot.visible)


def _unshared(snapshot: Snapshot) -> Snapshot:
    """A snapshot for readers that can't import it, who may even be on another server."""
    floor = snapshot.floor.model_copy(
        update={
            "unknown": "its snapshot can't be shared, so its sessions may be on several servers",
            "remedy": "Let the source's URL lead to the primary itself",
        }
    )
    return snapshot.model_copy(update={"shared": False, "floor": floor})


def import_statements(snapshot: Snapshot) -> Iterator[str]:
    """The statements that open a reader's transaction on the snapshot, in order."""
    yield "set transaction isolation level repeatable read, read only"
    if snapshot.shared:
        yield f"set transaction snapshot {psycopg.sql.Literal(snapshot.id).as_string()}"


def check_same_snapshot(seen: str, snapshot: Snapshot) -> None:
    """Holds a reader to the keeper's instant, which also catches a connection to another replica.

    Raises:
        StaleSnapshot: When the reader sees another state of the database.
    """
    if snapshot.shared and seen != snapshot.visible:
        raise StaleSnapshot(
            "A reader saw another state of the database than the run's snapshot.",
            remedy="The table is read again; see that source.url always leads to one server.",
        )


def _one(connection: psycopg.Connection, query: LiteralString) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
