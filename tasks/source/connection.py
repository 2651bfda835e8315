"""Connections to the source PostgreSQL, and its errors in the words of the on-call person.

Every session is pinned to UTC and ISO text output, so that a value has one spelling whatever the
server's or the role's defaults are. Nothing here ever writes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tasks.errors import DaybreakError, PermanentError, TransientError

SESSION = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO,YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "pg_catalog",
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "0",
}

# A server's transaction_timeout would end every long read. It is no part of SESSION, since older
# servers refuse a connection that names it.
FIRST_WITH_TRANSACTION_TIMEOUT = 170000
NO_TRANSACTION_TIMEOUT = "set transaction_timeout = 0"

# Says within a minute or two that a server or firewall has gone silent.
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}

ADBC_PREFIX = re.compile(r"[A-Z_]+: (\[libpq\] [^\n]*\]: \w+: +)?")
DriverError = psycopg.Error | adbc_driver_manager.Error

# https://www.postgresql.org/docs/18/errcodes-appendix.html, by code or by two-letter class.
TRANSIENT_CLASSES = {"08", "40", "53", "55", "57", "58"}
TRANSIENT_CODES = {"25P03", "25P04", "72000"}
# libpq gives a refused connection no code. What isn't known to last is tried again: a server
# that goes down, comes up or is full says so in more ways than these.
LASTING_REFUSAL = re.compile(
    r"FATAL: .*(authentication failed|pg_hba\.conf|does not exist|not permitted"
    r"|permission denied|parameter)"
)
REMEDIES = {
    "42501": "GRANT SELECT ON <table> TO <role>; or, where row-level security filters a view's"
    " tables, ALTER ROLE <role> BYPASSRLS;",
    "42P01": "Check the table's name, or remove it from the configuration.",
    "42703": "Check the column's name in the configuration.",
    "55P03": "Another session holds a lock on it (pg_locks says which); run again when it ends.",
    "57014": "Someone cancelled the query; run again.",
}


@dataclass(frozen=True)
class Source:
    """How to reach the source; `url`, a libpq URL or string, never shows in a repr."""

    url: str = field(repr=False)

    def connect(self, connect_timeout: int = 10) -> psycopg.Connection:
        """An autocommit session for the catalog, the snapshot and locks.

        Raises:
            PermanentError: When the server refuses the user, password or database, or something
                before it drops the session's settings.
            TransientError: When the server can't be reached.
        """
        try:
            # A pooler may run a statement elsewhere than where it was prepared, and a plan that
            # is kept fails once its table was altered.
            session = psycopg.connect(
                self._conninfo(connect_timeout), autocommit=True, prepare_threshold=None
            )
            if session.info.server_version >= FIRST_WITH_TRANSACTION_TIMEOUT:
                session.execute(NO_TRANSACTION_TIMEOUT)
            _check_settings(session)
        except psycopg.Error as error:
            raise self._refused(error) from None
        return session

    def connect_adbc(self) -> adbc.Connection:
        """A session that reads query results as Arrow; raises as `connect` does."""
        try:
            session = adbc.connect(self._conninfo(10))
            if int(session.adbc_get_info()["vendor_version"]) >= FIRST_WITH_TRANSACTION_TIMEOUT:
                with session.cursor() as cursor:
                    cursor.execute(NO_TRANSACTION_TIMEOUT)
                session.commit()
        except adbc_driver_manager.Error as error:
            raise self._refused(error) from None
        return session

    def _conninfo(self, connect_timeout: int) -> str:
        given = conninfo_to_dict(self.url)
        pinned = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        return make_conninfo(
            self.url,
            **{name: value for name, value in KEEPALIVES.items() if name not in given},
            options=f"{given.get('options') or ''} {pinned}".strip(),
            application_name="daybreak",
            connect_timeout=connect_timeout,
        )

    def _refused(self, error: DriverError) -> DaybreakError:
        info = conninfo_to_dict(self.url)
        where = f"{info.get('host') or 'localhost'}:{info.get('port') or 5432}"
        detail = str(error).rsplit("failed: ", 1)[-1].split("\n", 1)[0].strip().rstrip(".")
        remedy = "Check host, port, user, password and database of the source."
        kind = PermanentError if LASTING_REFUSAL.search(detail) else TransientError
        return kind(f"The source at {where} refused the connection: {detail}.", remedy=remedy)


def _check_settings(session: psycopg.Connection) -> None:
    """Without its settings a session would read other values, and with row security fewer rows."""
    shown = session.execute(
        "select name, current_setting(name) from unnest(%s::text[]) name", [list(SESSION)]
    )
    lost = [name for name, value in shown if value.replace(" ", "") != SESSION[name]]
    if lost:
        session.close()
        raise PermanentError(
            f"Something between here and the source drops the settings of a session:"
            f" {', '.join(lost)}.",
            remedy="Let the source's URL lead to the server itself, not to its pooler.",
        )


@contextmanager
def source_errors(table: str | None = None) -> Iterator[None]:
    """Translates driver errors by SQLSTATE, the one place that does.

    Raises:
        TransientError: For lost connections, conflicts, locks, timeouts and full resources.
        PermanentError: For everything else, such as a missing privilege.
    """
    try:
        yield
    except (psycopg.Error, adbc_driver_manager.Error) as error:
        raise translate(error, table) from None


def translate(error: DriverError, table: str | None) -> DaybreakError:
    code = error.sqlstate or ""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = (said or ADBC_PREFIX.sub("", str(error))).split("\n", 1)[0].rstrip(".")
    message = f"PostgreSQL said: {text}{f' ({code})' if code else ''}."
    lost = not code and isinstance(
        error, psycopg.OperationalError | adbc_driver_manager.OperationalError
    )
    if lost or code[:2] in TRANSIENT_CLASSES or code in TRANSIENT_CODES:
        remedy = REMEDIES.get(code, "The connection or server failed; a retry may help.")
        return TransientError(message, remedy=remedy, table=table)
    remedy = REMEDIES.get(code, "Correct the source or the configuration.")
    return PermanentError(message, remedy=remedy, table=table)
