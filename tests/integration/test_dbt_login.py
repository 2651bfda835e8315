"""dbt logs in to Snowflake as the run does: its profile reads what the run hands to its child."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tasks.blocks import snowflake_login
from tasks.config import Warehouse
from tasks.transform import PROJECT
from tests.conftest import SetVariables, WriteKey
from tests.recorded import RecordedAccount

TAG = '{"run": "0b6e", "step": "transform"}'


def logged_in(recorded: RecordedAccount, tmp_path: Path) -> dict[str, Any]:
    """The login that `dbt debug` asked for, in the environment of a run's child."""
    given = snowflake_login(Warehouse(kind="snowflake")).environment()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SNOWFLAKE_")}
    done = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("debug", "--connection", "--target", "snowflake", "--profiles-dir", PROJECT),
            *("--log-path", tmp_path),
        ],
        cwd=PROJECT,
        env={**kept, **given, "DAYBREAK_QUERY_TAG": TAG, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert recorded.logins, done.stdout + done.stderr
    login = recorded.logins[-1]
    assert login["ACCOUNT_NAME"] == "acme-test"
    assert login["SESSION_PARAMETERS"]["QUERY_TAG"] == TAG
    assert (login["databaseName"], login["warehouse"]) == ("DAYBREAK_DB", "DAYBREAK_WH")
    return login


@pytest.mark.parametrize("given_as", ["PRIVATE_KEY_PATH", "PRIVATE_KEY"])
def test_dbt_logs_in_with_an_encrypted_key(
    recorded: RecordedAccount,
    login_variables: SetVariables,
    key_file: WriteKey,
    private_key: rsa.RSAPrivateKey,
    tmp_path: Path,
    given_as: str,
) -> None:
    file = key_file("open sesame")
    key = str(file) if given_as == "PRIVATE_KEY_PATH" else file.read_text()
    login_variables(**{given_as: key}, PRIVATE_KEY_PASSPHRASE="open sesame")
    login = logged_in(recorded, tmp_path)
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    claims = jwt.decode(login["TOKEN"], private_key.public_key(), algorithms=["RS256"])
    assert claims["sub"] == "ACME-TEST.LOADER"


def test_dbt_logs_in_with_a_password(
    recorded: RecordedAccount, login_variables: SetVariables, tmp_path: Path
) -> None:
    login_variables(PASSWORD="p@ss word")
    login = logged_in(recorded, tmp_path)
    assert (login["LOGIN_NAME"], login["PASSWORD"]) == ("loader", "p@ss word")
    assert login["roleName"] == "DAYBREAK"


def test_dbt_logs_in_with_an_oauth_token(
    recorded: RecordedAccount, login_variables: SetVariables, tmp_path: Path
) -> None:
    login_variables(AUTHENTICATOR="oauth", TOKEN="granted", ROLE=None)
    login = logged_in(recorded, tmp_path)
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("OAUTH", "granted")
    assert "roleName" not in login
