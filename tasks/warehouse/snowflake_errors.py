"""Snowflake's errors in the words of the on-call person, by the connector's number.

Numbers below 250000 are Snowflake's own; the connector's are in snowflake/connector/errorcode.py.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.errors import DaybreakError, PermanentError, TransientError

if TYPE_CHECKING:
    from snowflake.connector.errors import Error

LOGIN = "Check user and credentials: the SNOWFLAKE_* variables, or the block."
ACCOUNT = "Check SNOWFLAKE_ACCOUNT, or the block's account: it is <organization>-<account>."
DATABASE = (
    "Check SNOWFLAKE_DATABASE or warehouse.database: GRANT USAGE ON DATABASE <name> TO ROLE {role};"
)
COMPUTE = (
    "Check SNOWFLAKE_WAREHOUSE, or the block's: GRANT USAGE ON WAREHOUSE <name> TO ROLE {role};"
)
GRANT = "GRANT ALL ON {object} TO ROLE {role};"
MISSING = "Check its name. If it is there: GRANT USAGE or ALL ON <object> TO ROLE {role};"
SUSPENDED = "ALTER WAREHOUSE <name> RESUME; or raise the quota of its resource monitor."
BUSY = "Another session holds the lock; run again."
SLOW = "Raise STATEMENT_TIMEOUT_IN_SECONDS of the warehouse, or take a larger one."
NETWORK = "The connection failed; a retry may help."

PERMANENT = {
    904: "Check the column's name.",
    2003: MISSING,
    2043: MISSING,
    3001: GRANT,
    606: COMPUTE,
    608: SUSPENDED,
    609: SUSPENDED,
    90073: SUSPENDED,
    90105: DATABASE,
    100078: "Make the warehouse's column longer: ALTER TABLE ... SET DATA TYPE VARCHAR;",
    390100: LOGIN,
    390101: LOGIN,
    390102: "The user is locked or disabled: ALTER USER <name> SET DISABLED = FALSE;",
    390144: "Check the private key: ALTER USER <name> SET RSA_PUBLIC_KEY = '...';",
    390189: "Check SNOWFLAKE_ROLE, or the block's role: GRANT ROLE <name> TO USER <user>;",
    390201: "Check the names of database and warehouse, and grant USAGE on both to the role.",
    390303: LOGIN,
    390318: "Get a new OAuth token.",
    390422: "Allow this machine's address in Snowflake's network policy.",
    251001: ACCOUNT,
    251008: "Check the private key and its passphrase.",
    290403: ACCOUNT,
    290404: ACCOUNT,
    540001: ACCOUNT,  # the connector's sum of 250001 and 290000, for HTTP 403
}
TRANSIENT = {
    250001: f"{ACCOUNT} If it is right, Snowflake or the network is away; a retry may help.",
    603: "Snowflake failed inside; a retry may help.",
    604: SLOW,
    625: BUSY,
    630: SLOW,
    390111: NETWORK,
    390112: NETWORK,
    390114: NETWORK,
}
# Of the connector: connection, session, file transfer and HTTP; what PERMANENT has comes first.
NETWORK_NUMBERS = (range(250001, 251000), range(251010, 251013), range(253001, 254000))
HTTP_NUMBERS = range(290000, 291000)
PREFIX = re.compile(r"^\d{6}(?: \(\w+\))?: (?:[0-9a-f-]{36}: )?")
OBJECT = re.compile(r"on (\w+) '([^']+)'")


@contextmanager
def snowflake_errors(role: str | None = None) -> Iterator[None]:
    """Translates the connector's errors, the one place that does.

    Args:
        role: Whom a GRANT in the remedy should name.

    Raises:
        TransientError: For lost connections, locks, timeouts and failures inside Snowflake.
        PermanentError: For everything else, such as a missing privilege.
    """
    from snowflake.connector.errors import Error
    from snowflake.connector.vendored.requests.exceptions import RequestException

    try:
        yield
    except Error as error:
        raise translate(error, role or "<role>") from None
    except RequestException as error:  # the connector lets out what breaks off an answer
        raise TransientError(f"Snowflake's answer broke off: {error}.", remedy=NETWORK) from None


def translate(error: "Error", role: str) -> DaybreakError:
    number = error.errno or 0
    said = PREFIX.sub("", " ".join(str(error.msg).split())).rstrip(".")
    message = f"Snowflake said: {said} ({number})."
    remedy = PERMANENT.get(number)
    if remedy is None and (number in TRANSIENT or _is_network(number)):
        return TransientError(message, remedy=TRANSIENT.get(number, NETWORK))
    found = OBJECT.search(said)
    what = f"{found[1].upper()} {found[2]}" if found else "<object>"
    remedy = (remedy or "Correct the source, the configuration or the warehouse.").format(
        role=role, object=what
    )
    return PermanentError(message, remedy=remedy)


def _is_network(number: int) -> bool:
    return number in HTTP_NUMBERS or any(number in numbers for numbers in NETWORK_NUMBERS)
