"""A session with Snowflake: its parameters, and how a statement runs in it."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.warehouse.base import Row
from tasks.warehouse.snowflake_errors import snowflake_errors

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Connect = Callable[[dict[str, Any]], "SnowflakeConnection"]
STATEMENT_SECONDS = 3600
PARAMETERS: dict[str, Any] = {
    "TIMEZONE": "UTC",
    # Else a quoted name would mean another one.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # A dead session's locks go with it; else they fall after five idle minutes.
    "ABORT_DETACHED_QUERY": True,
    "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
    "LOCK_TIMEOUT": 600,
}


class Session:
    """A session of its own, never a shared one: a COMMIT ends all that is open in it.

    Args:
        connect: Opens it with the parameters given.
        tag: What every query's tag says, such as run and table; the step is added.
    """

    def __init__(self, connect: Connect, tag: dict[str, str]) -> None:
        self._tag = tag
        with snowflake_errors():
            self._connection = connect({**PARAMETERS, "QUERY_TAG": json.dumps(tag)})

    def close(self) -> None:
        self._connection.close()

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
        with snowflake_errors(self._connection.role), self._connection.cursor() as cursor:
            # The connector cancels a statement without a timeout after the network's.
            cursor.execute(
                statement, bound, timeout=STATEMENT_SECONDS, _statement_params={"QUERY_TAG": tag}
            )
            return cursor.fetchall()
