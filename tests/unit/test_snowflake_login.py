"""Every way to log in to Snowflake, from the environment to the login request on the wire."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tasks.blocks import snowflake_login
from tasks.config import Warehouse
from tasks.errors import ConfigError
from tests.conftest import SetVariables, WriteKey
from tests.recorded import RecordedAccount

SNOWFLAKE = Warehouse(kind="snowflake")
PASSPHRASE = "open sesame %&'"
ID_TOKEN = jwt.encode({"iss": "https://issuer.example", "sub": "nightly"}, "k" * 32)


def log_in(recorded: RecordedAccount, **parameters: Any) -> dict[str, Any]:
    """Opens a session and returns the login that the server was asked for."""
    snowflake_login(SNOWFLAKE).connect(parameters).close()
    return recorded.logins[-1]


def refused(*words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        snowflake_login(SNOWFLAKE)
    for word in words:
        assert word in str(raised.value)


def test_a_password_logs_in_where_the_environment_says(
    recorded: RecordedAccount, login_variables: SetVariables
) -> None:
    login_variables(PASSWORD="p@ss word")
    login = log_in(recorded)
    assert login["ACCOUNT_NAME"] == "acme-test"
    assert (login["LOGIN_NAME"], login["PASSWORD"]) == ("loader", "p@ss word")
    assert (login["roleName"], login["warehouse"]) == ("DAYBREAK", "DAYBREAK_WH")
    assert login["databaseName"] == "DAYBREAK_DB"


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("given_as", ["PRIVATE_KEY_PATH", "PRIVATE_KEY"])
def test_a_key_pair_logs_in_with_a_token_that_the_key_has_signed(
    recorded: RecordedAccount,
    login_variables: SetVariables,
    private_key: rsa.RSAPrivateKey,
    key_file: WriteKey,
    passphrase: str,
    given_as: str,
) -> None:
    path = key_file(passphrase)
    key = str(path) if given_as == "PRIVATE_KEY_PATH" else path.read_text()
    login_variables(**{given_as: key}, PRIVATE_KEY_PASSPHRASE=passphrase)
    login = log_in(recorded)
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert "PASSWORD" not in login
    claims = jwt.decode(login["TOKEN"], private_key.public_key(), algorithms=["RS256"])
    assert claims["sub"] == "ACME-TEST.LOADER"


def test_an_oauth_token_logs_in(recorded: RecordedAccount, login_variables: SetVariables) -> None:
    login_variables(AUTHENTICATOR="OAuth", TOKEN="granted")
    login = log_in(recorded)
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("OAUTH", "granted")


def test_a_workload_identity_logs_in_without_a_user(
    recorded: RecordedAccount, login_variables: SetVariables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connector hands an identity to Snowflake's own hosts only: here, through a proxy.
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{recorded.port}")
    login_variables(
        USER=None,
        HOST="acme-test.snowflakecomputing.com",
        PORT="80",
        AUTHENTICATOR="workload_identity",
        WORKLOAD_IDENTITY_PROVIDER="oidc",
        TOKEN=ID_TOKEN,
    )
    login = log_in(recorded)
    assert login["AUTHENTICATOR"] == "WORKLOAD_IDENTITY"
    assert (login["PROVIDER"], login["TOKEN"]) == ("OIDC", ID_TOKEN)


def test_a_session_carries_its_parameters_and_sends_no_telemetry(
    recorded: RecordedAccount, login_variables: SetVariables
) -> None:
    login_variables(PASSWORD="p")
    parameters = log_in(recorded, TIMEZONE="UTC", QUERY_TAG="{}")["SESSION_PARAMETERS"]
    assert parameters["TIMEZONE"] == "UTC"
    assert parameters["QUERY_TAG"] == "{}"
    assert parameters["AUTOCOMMIT"] is True
    assert parameters["CLIENT_TELEMETRY_ENABLED"] is False
    assert parameters["CLIENT_VALIDATE_DEFAULT_PARAMETERS"] is True


def test_every_call_opens_a_session_of_its_own_that_gives_up_in_time(
    recorded: RecordedAccount, login_variables: SetVariables
) -> None:
    login_variables(PASSWORD="p")
    connect = snowflake_login(SNOWFLAKE).connect
    one, other = connect({}), connect({})
    assert one is not other
    assert len(recorded.logins) == 2
    assert (one.login_timeout, one.network_timeout) == (10, 120)


def test_the_configured_database_wins_over_the_variable(
    recorded: RecordedAccount, login_variables: SetVariables
) -> None:
    login_variables(PASSWORD="p", DATABASE=None)
    refused("SNOWFLAKE_DATABASE is not set", "warehouse.block")
    snowflake_login(Warehouse(kind="snowflake", database="OTHER")).connect({}).close()
    assert recorded.logins[-1]["databaseName"] == "OTHER"


@pytest.mark.parametrize("name", ["ACCOUNT", "USER", "WAREHOUSE", "DATABASE"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(
    login_variables: SetVariables, name: str, value: str | None
) -> None:
    login_variables(PASSWORD="p", **{name: value})
    refused(f"SNOWFLAKE_{name} is not set")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["neither key nor password", "SNOWFLAKE_PRIVATE_KEY_PATH"]),
        ({"PASSWORD": "p", "TOKEN": "t"}, ["SNOWFLAKE_PASSWORD and SNOWFLAKE_TOKEN"]),
        ({"PASSWORD": "p", "PRIVATE_KEY_PATH": "k"}, ["SNOWFLAKE_PASSWORD and SNOWFLAKE_PRIV"]),
        ({"PRIVATE_KEY_PASSPHRASE": "p"}, ["has SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"]),
        ({"AUTHENTICATOR": "oauth"}, ["SNOWFLAKE_AUTHENTICATOR=oauth", "Set SNOWFLAKE_TOKEN"]),
        ({"AUTHENTICATOR": "externalbrowser"}, ["SNOWFLAKE_AUTHENTICATOR is externalbrowser"]),
        (
            {"AUTHENTICATOR": "workload_identity", "PASSWORD": "p"},
            ["Set SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER"],
        ),
        (
            {"AUTHENTICATOR": "workload_identity", "WORKLOAD_IDENTITY_PROVIDER": "oidc"},
            ["`token` must be provided"],
        ),
        (
            {"AUTHENTICATOR": "workload_identity", "WORKLOAD_IDENTITY_PROVIDER": "ibm"},
            ["workload_identity_provider", "aws"],
        ),
    ],
)
def test_variables_that_make_no_single_way_in_are_refused(
    login_variables: SetVariables, given: dict[str, str], words: list[str]
) -> None:
    login_variables(**given)
    refused(*words)


@pytest.mark.parametrize(
    ("passphrase", "given", "words"),
    [
        (PASSPHRASE, "wrong", ["Incorrect password", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"]),
        (PASSPHRASE, "", ["Password was not given", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"]),
        ("", "needless", ["Password was given but private key is not encrypted"]),
    ],
)
def test_a_wrong_passphrase_is_said_before_anything_connects(
    recorded: RecordedAccount,
    login_variables: SetVariables,
    key_file: WriteKey,
    passphrase: str,
    given: str,
    words: list[str],
) -> None:
    login_variables(PRIVATE_KEY_PATH=str(key_file(passphrase)), PRIVATE_KEY_PASSPHRASE=given)
    refused(*words)
    assert recorded.logins == []


def test_a_key_file_that_is_missing_or_no_key_is_said(
    login_variables: SetVariables, tmp_path: Path
) -> None:
    login_variables(PRIVATE_KEY_PATH=str(tmp_path / "nowhere.p8"))
    refused("nowhere.p8", "No such file", "SNOWFLAKE_PRIVATE_KEY_PATH")
    (tmp_path / "notes.txt").write_text("no key")
    login_variables(PRIVATE_KEY_PATH=str(tmp_path / "notes.txt"))
    refused("PEM")
    login_variables(PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    refused("can't be opened")


@pytest.mark.parametrize("way", ["PASSWORD", "TOKEN", "PRIVATE_KEY_PASSPHRASE"])
def test_no_secret_shows_in_a_repr_or_a_message(
    login_variables: SetVariables, key_file: WriteKey, way: str
) -> None:
    secret = "s3cr3t-planted"
    given = {
        "PASSWORD": {},
        "TOKEN": {"AUTHENTICATOR": "oauth"},
        "PRIVATE_KEY_PASSPHRASE": {"PRIVATE_KEY_PATH": str(key_file(secret))},
    }[way]
    login_variables(**given, **{way: secret})
    login = snowflake_login(SNOWFLAKE)
    assert secret not in repr(login) + repr(login.connect) + repr(login.credentials)
    login_variables(**given, **{way: secret}, WORKLOAD_IDENTITY_PROVIDER="oidc")
    with pytest.raises(ConfigError) as raised:
        snowflake_login(SNOWFLAKE)
    assert secret not in str(raised.value)
