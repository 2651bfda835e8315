"""`make check-warehouse`: what it tries, says, exits with and leaves behind."""

from pathlib import Path

import pytest

from tasks.check_warehouse import dbt_schemas, main
from tasks.transfer.types import Kind
from tasks.warehouse import duckdb_names
from tests.conftest import ON_BOTH, SetVariables, Write
from tests.dialect import not_snowflake, ours
from tests.emulator import Account, Emulator
from tests.recorded import RecordedAccount, refusal, rows
from tests.warehouses import Copy

ROUND_TRIP = "ok       publish a row of every type and read it back"
LEFT = "select table_name from information_schema.tables where table_name ilike '%check%'"
WHERE = ("DAYBREAK_DB", "DAYBREAK", "DAYBREAK_WH")
Said = pytest.CaptureFixture[str]


@pytest.fixture
def config(config_file: Write) -> str:
    return str(config_file([{"name": "t"}], source={"demo": {}}))


@ON_BOTH
def test_a_row_of_every_type_comes_back_and_nothing_of_it_stays(
    config: str, warehouse: Copy, capsys: Said
) -> None:
    assert main([config]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == ROUND_TRIP
    assert said.err == ""
    assert warehouse(LEFT) == []
    for ledger in ("sync_state", "sync_runs"):
        assert warehouse(f"select count(*) from raw.{ledger}") == [(0,)]


@pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)
def test_what_a_night_makes_is_tried_in_each_schema_that_is_there(
    config: str, snowflake: Account, emulator: Emulator, capsys: Said
) -> None:
    for schema in ("raw", "mart"):
        snowflake.query(f"create schema {schema}")
    assert main([config]) == 0
    said = capsys.readouterr().out
    database = f'"{snowflake.database}"'
    for tried in (
        "run statements on the warehouse DAYBREAK",
        f'create a table in {database}."RAW"',
        f'create a stage in {database}."RAW"',
        f'create a table in {database}."MART"',
        f'create a view in {database}."MART"',
        f'create the schema {database}."STAGING"',
        f'create the schema {database}."SNAPSHOTS"',
    ):
        assert f"ok       {tried}\n" in said
    assert snowflake.query(LEFT) == []
    assert any(text.startswith("create stage") for text in ours(emulator.statements()))
    assert not_snowflake(emulator.statements()) == []


def test_each_missing_privilege_is_said_with_its_grant_and_the_others_are_tried(
    config_file: Write, recorded: RecordedAccount, login_variables: SetVariables, capsys: Said
) -> None:
    login_variables(PASSWORD="p")
    recorded.statements = {
        "current_role": rows(WHERE),
        "schemata": rows(("RAW",), ("MART",)),
        "create stage": refusal("003001", "42501", "Insufficient privileges on schema 'RAW'."),
        "create view": refusal("003001", "42501", "Insufficient privileges on schema 'MART'."),
        "create schema": refusal("003001", "42501", "Insufficient privileges on the database."),
    }
    config = config_file([{"name": "t"}], source={"demo": {}}, warehouse={"kind": "snowflake"})
    assert main([str(config)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == [
        "ok",  # the warehouse
        *("ok", "FAILED"),  # raw: table, stage
        *("ok", "FAILED"),  # mart: table, view
        *("FAILED", "FAILED"),  # the schemas that are not there
    ]
    assert 'GRANT USAGE, CREATE STAGE ON SCHEMA "DAYBREAK_DB"."RAW" TO ROLE DAYBREAK;' in said[2]
    assert 'GRANT USAGE, CREATE VIEW ON SCHEMA "DAYBREAK_DB"."MART" TO ROLE DAYBREAK;' in said[4]
    assert 'GRANT USAGE, CREATE SCHEMA ON DATABASE "DAYBREAK_DB" TO ROLE DAYBREAK;' in said[5]


def test_without_credentials_it_says_so_and_exits_with_2(
    config_file: Write, login_variables: SetVariables, capsys: Said
) -> None:
    login_variables()
    config = config_file([{"name": "t"}], source={"demo": {}}, warehouse={"kind": "snowflake"})
    assert main([str(config)]) == 2
    assert "neither key nor password" in capsys.readouterr().err
    login_variables(ACCOUNT=None)
    assert main([str(config)]) == 2
    assert "SNOWFLAKE_ACCOUNT is not set" in capsys.readouterr().err


def test_a_configuration_that_is_wrong_exits_with_2(tmp_path: Path, capsys: Said) -> None:
    assert main([str(tmp_path / "nowhere.yaml")]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


def test_a_value_that_comes_back_as_another_is_shown(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setitem(duckdb_names.TYPES, Kind.TIMESTAMP, "timestamp_s")
    assert main([config]) == 1
    assert "timestamp: '10000-01-01 00:00:00' came back, not" in capsys.readouterr().out


def test_the_schemas_are_those_of_the_dbt_project() -> None:
    assert dbt_schemas() == ["mart", "snapshots", "staging"]
