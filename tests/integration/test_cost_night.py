"""What nights cost, as they tell and keep it: CPU time on DuckDB, usage views on Snowflake."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tasks.config import load_config
from tasks.connect import open_warehouse
from tasks.cost import costs
from tasks.errors import ConfigError
from tests.conftest import Night, Run, Write, says
from tests.emulator import Account
from tests.warehouses import Copy, SnowflakeCopy

COST = {"credit_price": 3, "currency": "EUR", "monthly_budget": 5, "storage_price": 23}
USAGE = {
    "query_history": "query_id varchar, query_tag varchar, warehouse_name varchar,"
    " start_time timestamp_ltz, execution_time number, bytes_scanned number",
    "query_attribution_history": "query_id varchar, credits_attributed_compute float,"
    " credits_used_query_acceleration float",
    "warehouse_metering_history": "warehouse_name varchar, start_time timestamp_ltz,"
    " credits_used_compute float, credits_attributed_compute_queries float",
}
FIRST = "select run_id from raw.sync_runs order by finished_at limit 1"


@pytest.fixture
def table(source: psycopg.Connection) -> dict[str, Any]:
    source.execute("create table t as select n as id from generate_series(1, 100000) n")
    return {"name": "t"}


def test_cpu_seconds_are_in_the_ledger_the_frame_and_the_summary(
    table: dict[str, Any],
    config_file: Write,
    run_daily: Run,
    warehouse: Copy,
    source_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_URL", source_url)
    path = config_file([table])
    done = run_daily("--config", path, "--skip-dbt")
    says(done, 0, "cost     ", " CPU s")
    [(run_id, seconds)] = warehouse("select run_id, cpu_seconds from raw.sync_runs")
    assert 0 < seconds < 60
    assert f"cost     {seconds:,.1f} CPU s" in done.stdout
    config = load_config(path)
    with open_warehouse(config) as session:
        [row] = costs(session, config).to_dicts()
    assert (row["run_id"], row["table_name"], row["cpu_seconds"]) == (run_id, "t", seconds)
    assert row["credits"] is None and row["cost"] is None


def test_prices_beside_duckdb_are_refused(
    table: dict[str, Any], config_file: Write, night: Night
) -> None:
    with pytest.raises(ConfigError, match="expected no cost beside kind: duckdb"):
        night(config_file([table], cost=COST))


@pytest.fixture
def usage(snowflake: Account) -> Iterator[Account]:
    """An account whose role may read account usage, which is empty."""
    snowflake.query("create database if not exists snowflake")
    snowflake.query("create schema snowflake.account_usage")
    for view, columns in USAGE.items():
        snowflake.query(f"create table snowflake.account_usage.{view} ({columns})")
    yield snowflake
    snowflake.query("drop schema snowflake.account_usage cascade")


@pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)
def test_a_later_night_knows_what_an_earlier_one_cost_and_warns_of_the_budget(
    table: dict[str, Any],
    usage: Account,
    config_file: Write,
    night: Night,
    warehouse: SnowflakeCopy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = config_file([table], cost=COST)
    night(path)
    assert "Snowflake tells credits hours later" in capsys.readouterr().out
    [(run_id,)] = warehouse(FIRST)
    tag = f'{{"run": "{run_id}", "table": "t", "step": "publish"}}'
    usage.query(
        "insert into snowflake.account_usage.query_history"
        f" select 'q1', '{tag}', 'WH', current_timestamp(), 2500, 1000000"
    )
    usage.query(
        "insert into snowflake.account_usage.query_attribution_history values ('q1', 2, null)"
    )
    night(path)
    said = capsys.readouterr().out
    assert "6.00 EUR this month of 5.00, storage " in said
    assert "This month has cost 6.00 EUR, more than its budget of 5.00." in said
    config = load_config(path)
    with open_warehouse(config) as session:
        first = costs(session, config).row(0, named=True)
    assert (first["run_id"], first["table_name"]) == (run_id, "t")
    assert (first["warehouse_seconds"], first["bytes_scanned"]) == (2.5, 1000000)
    assert (first["credits"], first["cost"]) == (2, 6)


@pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)
def test_a_night_without_the_privilege_says_the_grant_once_and_ends_well(
    table: dict[str, Any], config_file: Write, run_daily: Run, snowflake: Account
) -> None:
    done = run_daily(
        "--config", config_file([table], cost=COST), "--skip-dbt", environment=snowflake.environment
    )
    says(done, 0, "t: 100,000 rows published")
    told = (done.stdout + done.stderr).count("GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE ")
    assert told == 1
