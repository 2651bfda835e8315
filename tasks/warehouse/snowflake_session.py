"""A session with Snowflake: its parameters, and how a statement runs in it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.errors import TransientError
from tasks.warehouse.base import Row
from tasks.warehouse.snowflake_errors import snowflake_errors

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Connect = Callable[[dict[str, Any]], "SnowflakeConnection"]
STATEMENT_SECONDS = 3600
PARAMETERS: dict[str, Any] = {
    "TIMEZONE": "UTC",
    # Else an account's own would read our ISO 8601 as another instant, or as none.
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    # Else a quoted name would mean another one.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # A dead session's locks go with it; else they fall after five idle minutes.
    "ABORT_DETACHED_QUERY": True,
    "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
    "LOCK_TIMEOUT": 600,
}


class Session:
    """A session of its own, never a shared one: a COMMIT ends all that is open in it.

    After a TransientError nobody knows what is left of it, so the next statement gets another.
    Whoever is in a transaction has to give it up then.

    Args:
        connect: Opens it with the parameters given.
        tag: What every query's tag says, such as run and table; the step is added.
    """

    def __init__(self, connect: Connect, tag: dict[str, str]) -> None:
        self._connect = connect
        self._tag = tag
        self._lock = threading.Lock()
        self._is_doubtful = False
        self._connection = self._open()

    def close(self) -> None:
        self._connection.close()

    def location(self) -> tuple[str, str]:
        """The account, as a URL, and the database's name."""
        connection = self._connection
        return f"snowflake://{connection.account}", connection.database or ""

    def run(self, step: str, statement: str, parameters: list[Any] | None = None) -> list[Row]:
        """Runs one statement, on a cursor of its own since several threads may.

        Raises:
            DaybreakError: As `snowflake_errors` translates it.
        """
        tag = json.dumps({**self._tag, "step": step})
        bound = [
            ("TIMESTAMP_LTZ", value) if isinstance(value, datetime) else value
            for value in parameters or []
        ]
        connection = self._sound()
        try:
            with snowflake_errors(connection.role), connection.cursor() as cursor:
                # The connector cancels a statement without a timeout after the network's.
                cursor.execute(
                    statement,
                    bound,
                    timeout=STATEMENT_SECONDS,
                    _statement_params={"QUERY_TAG": tag},
                )
                return cursor.fetchall()
        except TransientError:
            self._is_doubtful = True
            raise

    def _sound(self) -> "SnowflakeConnection":
        with self._lock:
            if self._is_doubtful:
                self.close()
                self._connection = self._open()
                self._is_doubtful = False
            return self._connection

    def _open(self) -> "SnowflakeConnection":
        with snowflake_errors():
            return self._connect({**PARAMETERS, "QUERY_TAG": json.dumps(self._tag)})


def bounded_waits(seconds: float) -> Iterator[int]:
    """The connector's waits between its tries of one request; else it tries for a statement's time.

    Raises:
        OperationalError: When Snowflake has not answered for so many seconds.
    """
    from snowflake.connector.backoff_policies import exponential_backoff
    from snowflake.connector.errorcode import ER_FAILED_TO_REQUEST
    from snowflake.connector.errors import OperationalError

    end = time.monotonic() + seconds
    for wait in exponential_backoff()():
        if time.monotonic() > end:
            raise OperationalError(f"no answer for {seconds} s", errno=ER_FAILED_TO_REQUEST)
        yield wait
