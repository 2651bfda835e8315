"""Blocks on a real Prefect server: saved from the environment, loaded by a run."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector
from psycopg.conninfo import conninfo_to_dict

from tasks.blocks import snowflake_login, source_conninfo
from tasks.config import Source, Warehouse, load_config
from tasks.errors import ConfigError, TransientError
from tasks.register import components_of, register
from tests.conftest import Night, SetVariables, Write, WriteKey
from tests.recorded import RecordedAccount
from tests.warehouses import Copy

SECRET = "pl4nted-%/:@ secret"
SOURCE_URL = "postgresql://reader:s3cret@db.example:5433/app?sslmode=verify-full"
SNOWFLAKE = Warehouse(kind="snowflake", block="sf")
BLOCKS = {
    "source": {"block": "app-db"},
    "warehouse": {"kind": "duckdb", "block": "sf", "raw_schema": "raw"},
}


@pytest.fixture(autouse=True)
def server(prefect_api: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        yield


@pytest.fixture
def variables(login_variables: SetVariables, monkeypatch: pytest.MonkeyPatch) -> None:
    login_variables(PASSWORD=SECRET)
    monkeypatch.setenv("SOURCE_URL", SOURCE_URL)


def saved(prefect_api: str, secrets: bool = False) -> str:
    """Everything the server tells of its blocks."""
    answer = httpx.post(
        f"{prefect_api}/block_documents/filter", json={"include_secrets": secrets}, timeout=60
    )
    answer.raise_for_status()
    return answer.text


@pytest.mark.usefixtures("variables")
def test_a_configuration_s_blocks_are_saved_twice_over_and_no_secret_is_said(
    config_file: Write, prefect_api: str
) -> None:
    config = load_config(config_file([{"name": "t"}], **BLOCKS))
    said = list(register(config))
    assert said == list(register(config))
    assert said == [
        "SQLAlchemy Connector block app-db: database app, user reader",
        "Snowflake Connector block sf: account acme-test, database DAYBREAK_DB",
    ]
    assert SECRET in saved(prefect_api, secrets=True)
    assert SECRET not in saved(prefect_api)
    assert "s3cret" not in saved(prefect_api)
    login = snowflake_login(SNOWFLAKE)
    assert str(login) == (
        "user loader, account acme-test, role DAYBREAK, warehouse DAYBREAK_WH, database DAYBREAK_DB"
    )
    assert conninfo_to_dict(source_conninfo(Source(block="app-db"))) == conninfo_to_dict(SOURCE_URL)


def test_an_encrypted_key_travels_in_the_block_to_workers_without_the_file(
    config_file: Write,
    login_variables: SetVariables,
    key_file: WriteKey,
    recorded: RecordedAccount,
) -> None:
    file = key_file(SECRET)
    login_variables(PRIVATE_KEY_PATH=str(file), PRIVATE_KEY_PASSPHRASE=SECRET)
    only_warehouse = {**BLOCKS, "source": {"demo": {}}}
    list(register(load_config(config_file([{"name": "t"}], **only_warehouse))))
    file.unlink()
    snowflake_login(SNOWFLAKE).connect({}).close()
    assert recorded.logins[-1]["AUTHENTICATOR"] == "SNOWFLAKE_JWT"


def test_what_a_block_says_of_host_and_timeouts_reaches_the_connector(
    recorded: RecordedAccount,
) -> None:
    SnowflakeConnector(
        credentials=SnowflakeCredentials(
            account="acme-test",
            user="loader",
            password=SECRET,
            role="DAYBREAK",
            host="127.0.0.1",
            port=recorded.port,
            protocol="http",
            login_timeout=3,
            session_parameters={"WEEK_START": 1, "TIMEZONE": "Asia/Tokyo"},
        ),
        database="DB",
        warehouse="WH",
        schema="raw",
    ).save("sf", overwrite=True)
    connect = snowflake_login(SNOWFLAKE).connect
    one, other = connect({"TIMEZONE": "UTC"}), connect({})
    assert one is not other
    assert one.login_timeout == 3
    login = recorded.logins[0]
    where = (login["roleName"], login["databaseName"], login["warehouse"])
    assert where == ("DAYBREAK", "DB", "WH")
    assert login["PASSWORD"] == SECRET
    assert login["SESSION_PARAMETERS"]["TIMEZONE"] == "UTC"
    assert login["SESSION_PARAMETERS"]["WEEK_START"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@db.example/app",
        "postgresql://read%40er:p%25%2F%3A%40%20w@db.example:5433/the%20app",
        "postgresql://r:p@db.example/app?sslmode=verify-full&sslrootcert=/etc/ssl/ca%20x.pem",
        "postgresql://r:p@db.example/app?options=-c%20work_mem%3D64MB%20-c%20role%3Dx",
        "postgresql://r:p@one.example:5432,two.example:5433/app?target_session_attrs=read-only",
        "postgresql://r@/app?host=%2Fvar%2Frun%2Fpostgresql&port=5433",
        "postgresql://r:p@[2001:db8::1]:5433/app",
        "postgresql:///app?service=nightly",
    ],
)
def test_a_url_comes_out_of_its_block_as_it_went_in(url: str) -> None:
    SqlAlchemyConnector(connection_info=components_of(url)).save("app-db", overwrite=True)
    found = conninfo_to_dict(source_conninfo(Source(block="app-db")))
    assert found == conninfo_to_dict(url)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_a_block_made_by_hand_becomes_the_connection_whatever_its_driver(driver: str) -> None:
    SqlAlchemyConnector(
        connection_info=ConnectionComponents(
            driver=driver, username="r", password=SECRET, host="db.example", port=1, database="app"
        ),
        connect_args={"sslmode": "verify-full", "sslrootcert": "/ca.pem", "options": "-c a=b"},
    ).save("app-db", overwrite=True)
    assert conninfo_to_dict(source_conninfo(Source(block="app-db"))) == {
        "user": "r",
        "password": SECRET,
        "host": "db.example",
        "port": "1",
        "dbname": "app",
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "options": "-c a=b",
    }


def test_a_block_of_a_url_with_several_hosts_becomes_libpq_s_lists() -> None:
    url = "postgresql+psycopg2://r:p%40@/app?host=one.example:5432&host=two.example:5433"
    SqlAlchemyConnector(connection_info=url).save("app-db", overwrite=True)
    found = conninfo_to_dict(source_conninfo(Source(block="app-db")))
    assert (found["host"], found["port"]) == ("one.example,two.example", "5432,5433")
    assert found["password"] == "p@"


@pytest.mark.parametrize(
    ("driver", "arguments", "words"),
    [
        ("mysql+pymysql", None, ["app-db connects to mysql", "source.block"]),
        ("postgresql", {"ssl": "require"}, ['"ssl"', "sslmode"]),
    ],
)
def test_a_block_that_is_not_libpq_s_is_refused(
    driver: str, arguments: dict[str, str] | None, words: list[str]
) -> None:
    SqlAlchemyConnector(
        connection_info=ConnectionComponents(driver=driver, host="db.example", password=SECRET),
        connect_args=arguments,
    ).save("app-db", overwrite=True)
    with pytest.raises(ConfigError) as raised:
        source_conninfo(Source(block="app-db"))
    assert all(word in str(raised.value) for word in words)
    assert SECRET not in str(raised.value)


def test_a_missing_block_a_missing_server_and_a_silent_one_are_said() -> None:
    nowhere = Source(block="nowhere")
    with pytest.raises(ConfigError, match=r"no SQLAlchemy Connector block nowhere.*make blocks"):
        source_conninfo(nowhere)
    with pytest.raises(ConfigError, match=r"no Snowflake Connector block nowhere.*make blocks"):
        snowflake_login(Warehouse(kind="snowflake", block="nowhere"))
    with (
        temporary_settings({PREFECT_API_URL: None}),
        pytest.raises(ConfigError, match="PREFECT_API_URL names none"),
    ):
        source_conninfo(nowhere)
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}),
        pytest.raises(TransientError, match="Check PREFECT_API_URL"),
    ):
        source_conninfo(nowhere)


@pytest.mark.usefixtures("variables")
def test_registering_says_what_is_missing(
    config_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_URL", f"mysql://u:{SECRET}@h/db")
    with pytest.raises(ConfigError, match="SOURCE_URL is no PostgreSQL URL") as raised:
        list(register(load_config(config_file([{"name": "t"}], **BLOCKS))))
    assert SECRET not in str(raised.value)
    with pytest.raises(ConfigError, match="names no block"):
        list(register(load_config(config_file([{"name": "t"}], source={"demo": {}}))))


def test_a_night_reads_its_source_through_a_block(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    night: Night,
    warehouse: Copy,
) -> None:
    source.execute("create table t (id int primary key); insert into t values (1), (2)")
    SqlAlchemyConnector(connection_info=components_of(source_url)).save("app-db", overwrite=True)
    night(config_file([{"name": "t"}], source={"block": "app-db"}))
    assert warehouse("select count(*) from raw.t") == [(2,)]
