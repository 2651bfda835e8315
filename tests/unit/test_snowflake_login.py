"""Every way to log in to Snowflake, from the environment to the login request on the wire."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tasks.blocks import snowflake_connect, snowflake_login
from tasks.config import Warehouse
from tasks.errors import ConfigError
from tests.recorded import RecordedAccount, recorded_account

SNOWFLAKE = Warehouse(kind="snowflake")
PASSPHRASE = "open sesame %&'"
ID_TOKEN = jwt.encode({"iss": "https://issuer.example", "sub": "nightly"}, "k" * 32)
Set = Callable[..., None]


@pytest.fixture
def account() -> Iterator[RecordedAccount]:
    with recorded_account() as account:
        yield account


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, account: RecordedAccount) -> Set:
    """Sets SNOWFLAKE_* to a complete environment less its way in, and to what is given."""

    def set_variables(**given: str | None) -> None:
        for name in [name for name in os.environ if name.startswith("SNOWFLAKE_")]:
            monkeypatch.delenv(name)
        complete = {
            "ACCOUNT": "acme-test",
            "USER": "loader",
            "ROLE": "DAYBREAK",
            "WAREHOUSE": "DAYBREAK_WH",
            "DATABASE": "DAYBREAK_DB",
            "HOST": "127.0.0.1",
            "PORT": str(account.port),
            "PROTOCOL": "http",
        }
        for name, value in (complete | given).items():
            if value is not None:
                monkeypatch.setenv(f"SNOWFLAKE_{name}", value)

    return set_variables


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def key_file(private_key: rsa.RSAPrivateKey, tmp_path: Path) -> Callable[[str], Path]:
    """Writes the key as PEM, encrypted when a passphrase is given."""

    def write(passphrase: str = "") -> Path:
        path = tmp_path / "key.p8"
        hidden = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
        return path

    return write


def log_in(account: RecordedAccount, **parameters: Any) -> dict[str, Any]:
    """Opens a session and returns the login that the server was asked for."""
    snowflake_connect(SNOWFLAKE)(parameters).close()
    return account.logins[-1]


def refused(*words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        snowflake_connect(SNOWFLAKE)
    for word in words:
        assert word in str(raised.value)


def test_a_password_logs_in_where_the_environment_says(
    account: RecordedAccount, environment: Set
) -> None:
    environment(PASSWORD="p@ss word")
    login = log_in(account)
    assert login["ACCOUNT_NAME"] == "acme-test"
    assert (login["LOGIN_NAME"], login["PASSWORD"]) == ("loader", "p@ss word")
    assert (login["roleName"], login["warehouse"]) == ("DAYBREAK", "DAYBREAK_WH")
    assert login["databaseName"] == "DAYBREAK_DB"


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("given_as", ["PRIVATE_KEY_PATH", "PRIVATE_KEY"])
def test_a_key_pair_logs_in_with_a_token_that_the_key_has_signed(
    account: RecordedAccount,
    environment: Set,
    private_key: rsa.RSAPrivateKey,
    key_file: Callable[[str], Path],
    passphrase: str,
    given_as: str,
) -> None:
    path = key_file(passphrase)
    key = str(path) if given_as == "PRIVATE_KEY_PATH" else path.read_text()
    environment(**{given_as: key}, PRIVATE_KEY_PASSPHRASE=passphrase)
    login = log_in(account)
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert "PASSWORD" not in login
    claims = jwt.decode(login["TOKEN"], private_key.public_key(), algorithms=["RS256"])
    assert claims["sub"] == "ACME-TEST.LOADER"


def test_an_oauth_token_logs_in(account: RecordedAccount, environment: Set) -> None:
    environment(AUTHENTICATOR="OAuth", TOKEN="granted")
    login = log_in(account)
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("OAUTH", "granted")


def test_a_workload_identity_logs_in_without_a_user(
    account: RecordedAccount, environment: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connector hands an identity to Snowflake's own hosts only: here, through a proxy.
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{account.port}")
    environment(
        USER=None,
        HOST="acme-test.snowflakecomputing.com",
        PORT="80",
        AUTHENTICATOR="workload_identity",
        WORKLOAD_IDENTITY_PROVIDER="oidc",
        TOKEN=ID_TOKEN,
    )
    login = log_in(account)
    assert login["AUTHENTICATOR"] == "WORKLOAD_IDENTITY"
    assert (login["PROVIDER"], login["TOKEN"]) == ("OIDC", ID_TOKEN)


def test_a_session_carries_its_parameters_and_sends_no_telemetry(
    account: RecordedAccount, environment: Set
) -> None:
    environment(PASSWORD="p")
    parameters = log_in(account, TIMEZONE="UTC", QUERY_TAG="{}")["SESSION_PARAMETERS"]
    assert parameters["TIMEZONE"] == "UTC"
    assert parameters["QUERY_TAG"] == "{}"
    assert parameters["AUTOCOMMIT"] is True
    assert parameters["CLIENT_TELEMETRY_ENABLED"] is False
    assert parameters["CLIENT_VALIDATE_DEFAULT_PARAMETERS"] is True


def test_every_call_opens_a_session_of_its_own_that_gives_up_in_time(
    account: RecordedAccount, environment: Set
) -> None:
    environment(PASSWORD="p")
    connect = snowflake_connect(SNOWFLAKE)
    one, other = connect({}), connect({})
    assert one is not other
    assert len(account.logins) == 2
    assert (one.login_timeout, one.network_timeout) == (15, 120)


def test_the_configured_database_wins_over_the_variable(
    account: RecordedAccount, environment: Set
) -> None:
    environment(PASSWORD="p", DATABASE=None)
    refused("SNOWFLAKE_DATABASE is not set", "warehouse.block")
    snowflake_connect(Warehouse(kind="snowflake", database="OTHER"))({}).close()
    assert account.logins[-1]["databaseName"] == "OTHER"


@pytest.mark.parametrize("name", ["ACCOUNT", "USER", "WAREHOUSE", "DATABASE"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(environment: Set, name: str, value: str | None) -> None:
    environment(PASSWORD="p", **{name: value})
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
    environment: Set, given: dict[str, str], words: list[str]
) -> None:
    environment(**given)
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
    account: RecordedAccount,
    environment: Set,
    key_file: Callable[[str], Path],
    passphrase: str,
    given: str,
    words: list[str],
) -> None:
    environment(PRIVATE_KEY_PATH=str(key_file(passphrase)), PRIVATE_KEY_PASSPHRASE=given)
    refused(*words)
    assert account.logins == []


def test_a_key_file_that_is_missing_or_no_key_is_said(environment: Set, tmp_path: Path) -> None:
    environment(PRIVATE_KEY_PATH=str(tmp_path / "nowhere.p8"))
    refused("nowhere.p8", "No such file", "SNOWFLAKE_PRIVATE_KEY_PATH")
    (tmp_path / "notes.txt").write_text("no key")
    environment(PRIVATE_KEY_PATH=str(tmp_path / "notes.txt"))
    refused("PEM")
    environment(PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    refused("can't be opened")


@pytest.mark.parametrize("way", ["PASSWORD", "TOKEN", "PRIVATE_KEY_PASSPHRASE"])
def test_no_secret_shows_in_a_repr_or_a_message(
    environment: Set, key_file: Callable[[str], Path], way: str
) -> None:
    secret = "s3cr3t-planted"
    given = {
        "PASSWORD": {},
        "TOKEN": {"AUTHENTICATOR": "oauth"},
        "PRIVATE_KEY_PASSPHRASE": {"PRIVATE_KEY_PATH": str(key_file(secret))},
    }[way]
    environment(**given, **{way: secret})
    login = snowflake_login(SNOWFLAKE)
    assert secret not in repr(login) + repr(login.connect) + repr(login.credentials)
    environment(**given, **{way: secret}, WORKLOAD_IDENTITY_PROVIDER="oidc")
    with pytest.raises(ConfigError) as raised:
        snowflake_connect(SNOWFLAKE)
    assert secret not in str(raised.value)
