"""Whole nights with deletes, dbt included: the models follow what left the source."""

import psycopg
import pytest
import yaml

from tasks.source import demo
from tests.conftest import ROOT, Run, Write, says
from tests.warehouses import Copy


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("warehouse", "deletes"),
    [
        ("duckdb", "hard"),
        pytest.param("duckdb", "soft", marks=pytest.mark.long),
        pytest.param("snowflake", "hard", marks=pytest.mark.long),
        pytest.param("snowflake", "soft", marks=pytest.mark.long),
    ],
    indirect=["warehouse"],
)
def test_the_models_follow_what_left_the_source(
    deletes: str,
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    run_daily: Run,
    warehouse: Copy,
) -> None:
    demo.seed(source_url, 0.02)
    shipped = yaml.safe_load((ROOT / "deployments" / "demo.yaml").read_text())
    tables = [{**table, "deletes": deletes} for table in shipped["tables"]]
    config = config_file(tables)
    says(run_daily("--config", config, "--skip-quality"), 0)

    source.execute("delete from transactions where order_id <= 5")
    source.execute("delete from orders where order_id <= 5")
    source.execute("delete from users where user_id = (select max(user_id) from users)")
    says(run_daily("--config", config, "--skip-quality"), 0, "orders: 5 rows deleted")
    for model, table in (
        ("staging.stg_orders", "orders"),
        ("mart.orders", "orders"),
        ("mart.transactions", "transactions"),
        ("mart.customers", "users"),
    ):
        there = source.execute(f"select count(*) from {table}".encode()).fetchone()
        assert warehouse(f"select count(*) from {model}") == [there]
