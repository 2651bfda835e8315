"""What Snowflake refuses, as the on-call person reads it: the object, its words, the remedy.

Codes and sentences are Snowflake's own: those of a login as its API gives them with CLIENT_
VALIDATE_DEFAULT_PARAMETERS, those of statements as in its documentation and its drivers' issues.
"""

import pytest

from tasks.config import Config
from tasks.connect import open_warehouse
from tasks.errors import DaybreakError, PermanentError, TransientError
from tests.conftest import SetVariables, WriteKey
from tests.recorded import RecordedAccount, refusal, rows

# A refusal is to be told within half a minute.
pytestmark = pytest.mark.timeout(30)
CONFIG = Config.model_validate(
    {"source": {"demo": {}}, "warehouse": {"kind": "snowflake"}, "tables": [{"name": "t"}]}
)
SECRET = "pl4nted-password"


@pytest.fixture(autouse=True)
def password(login_variables: SetVariables) -> None:
    login_variables(PASSWORD=SECRET)


def refused(kind: type[DaybreakError], *words: str) -> None:
    """Asserts that opening or readying the warehouse fails, and what is told of it."""
    with pytest.raises(kind) as raised, open_warehouse(CONFIG) as warehouse:
        warehouse.prepare()
    told = str(raised.value)
    for word in words:
        assert word in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        ("390100", "Incorrect username or password was specified.", ["user loader"]),
        ("390144", "JWT token is invalid. [0ce9eb56]", ["user loader", "RSA_PUBLIC_KEY"]),
        (
            "390189",
            "Role 'DAYBREAK' specified in the connect string does not exist or not authorized.",
            ["Role 'DAYBREAK'", "SNOWFLAKE_ROLE", "GRANT ROLE"],
        ),
        (
            "390201",
            "The requested warehouse does not exist or not authorized.",
            ["warehouse DAYBREAK_WH", "USAGE"],
        ),
        (
            "390201",
            "The requested database does not exist or not authorized.",
            ["database DAYBREAK_DB", "USAGE"],
        ),
        ("390318", "OAuth access token expired. [0ce9eb56]", ["new OAuth token"]),
        (
            "390422",
            "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake.",
            ["203.0.113.7", "network policy"],
        ),
    ],
)
def test_a_refused_login_says_who_where_and_what_to_do(
    recorded: RecordedAccount, code: str, said: str, words: list[str]
) -> None:
    recorded.login = refusal(code, "08004", said)
    refused(PermanentError, said.rstrip("."), code, "account acme-test", *words)


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_that_snowflake_does_not_know_is_said(
    recorded: RecordedAccount, status: int
) -> None:
    recorded.status = status
    refused(PermanentError, str(status), "account acme-test", "SNOWFLAKE_ACCOUNT")


def test_an_account_that_can_t_be_reached_is_said_and_tried_again_later(
    login_variables: SetVariables, key_file: WriteKey
) -> None:
    login_variables(PRIVATE_KEY_PATH=str(key_file()), PORT="1")
    refused(TransientError, "Could not connect", "account acme-test", "SNOWFLAKE_ACCOUNT", "retry")


@pytest.mark.parametrize(
    ("statement", "code", "sqlstate", "said", "words"),
    [
        (
            "create table",
            "003001",
            "42501",
            "SQL access control error:\nInsufficient privileges to operate on schema 'RAW'.",
            ["schema 'RAW'", "ON SCHEMA RAW TO ROLE"],
        ),
        (
            "create table",
            "003001",
            "42501",
            "SQL access control error:\nInsufficient privileges to operate on table 'SYNC_STATE'.",
            ["table 'SYNC_STATE'", "ON TABLE SYNC_STATE TO ROLE"],
        ),
        (
            "create table",
            "002003",
            "02000",
            "SQL compilation error:\nSchema 'DAYBREAK_DB.RAW' does not exist or not authorized.",
            ["'DAYBREAK_DB.RAW'", "GRANT"],
        ),
        (
            "information_schema",
            "000606",
            "57P03",
            "No active warehouse selected in the current session. Select an active warehouse with"
            " the 'use warehouse' command.",
            ["SNOWFLAKE_WAREHOUSE", "GRANT USAGE ON WAREHOUSE"],
        ),
        (
            "information_schema",
            "090073",
            "22000",
            "Warehouse 'DAYBREAK_WH' cannot be resumed because resource monitor 'DAYBREAK' has"
            " exceeded its quota.",
            ["'DAYBREAK_WH'", "quota"],
        ),
        (
            "list",
            "100078",
            "22000",
            "String 'far too long' is too long and would be truncated",
            ["'far too long'", "SET DATA TYPE"],
        ),
    ],
)
def test_a_refused_statement_says_the_object_and_the_remedy(
    recorded: RecordedAccount,
    statement: str,
    code: str,
    sqlstate: str,
    said: str,
    words: list[str],
) -> None:
    recorded.statements[statement] = refusal(code, sqlstate, said)
    refused(PermanentError, " ".join(said.split()).rstrip("."), str(int(code)), *words)


def test_a_schema_that_is_there_is_not_created_again(recorded: RecordedAccount) -> None:
    recorded.statements = {
        "information_schema.schemata": rows(("1",)),
        "create schema": refusal("003001", "42501", "Insufficient privileges on the database."),
    }
    with open_warehouse(CONFIG) as warehouse:
        warehouse.prepare()
    del recorded.statements["information_schema.schemata"]
    refused(PermanentError, "Insufficient privileges on the database")
