"""The connector's errors in our words: which are tried again, and what is said to help."""

import pytest
from snowflake.connector import errors

from tasks.errors import PermanentError, TransientError
from tasks.warehouse.snowflake_errors import snowflake_errors


@pytest.mark.parametrize(
    ("number", "said", "remedy"),
    [
        (390100, "Incorrect username or password was specified.", "user and credentials"),
        (390144, "JWT token is invalid.", "RSA_PUBLIC_KEY"),
        (390189, "Role 'X' specified in the connect string does not exist.", "GRANT ROLE"),
        (390201, "The requested database does not exist or not authorized.", "USAGE on both"),
        (290404, "404 Not Found: post nowhere.snowflakecomputing.com", "SNOWFLAKE_ACCOUNT"),
        (606, "No active warehouse selected in the current session.", "USAGE ON WAREHOUSE"),
        (90073, "Warehouse 'W' cannot be resumed because ... quota", "ALTER WAREHOUSE"),
        (90105, "Cannot perform SELECT. This session has no current database.", "ON DATABASE"),
        (2003, "SQL compilation error:\nObject 'T' does not exist.", "Check its name"),
        (
            3001,
            "SQL access control error:\nInsufficient privileges to operate on table 'ORDERS'",
            "GRANT ALL ON TABLE ORDERS TO ROLE LOADER;",
        ),
        (100078, "String 'abc' is too long and would be truncated", "SET DATA TYPE VARCHAR"),
        (99999, "Something new", "Correct the source"),
    ],
)
def test_what_a_person_has_to_change_is_permanent_and_says_what(
    number: int, said: str, remedy: str
) -> None:
    with pytest.raises(PermanentError) as caught, snowflake_errors("LOADER"):
        raise errors.ProgrammingError(said, errno=number, sqlstate="42501")
    assert " ".join(said.split()).rstrip(".") in caught.value.message
    assert caught.value.message.endswith(f"({number}).")
    assert caught.value.message.count(str(number)) == 1
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "number",
    [603, 604, 625, 630, 250001, 250003, 251011, 253003, 290000, 290503, 390111, 390112, 390114],
)
def test_what_may_pass_is_transient(number: int) -> None:
    with pytest.raises(TransientError) as caught, snowflake_errors():
        raise errors.OperationalError("it failed", errno=number)
    assert caught.value.message == f"Snowflake said: it failed ({number})."


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), snowflake_errors():
        _ = 1 / 0
