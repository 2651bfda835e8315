"""Retries of a night's tables: which are tried again, how often, and what the ledger keeps."""

import time

import psycopg

from tests.conftest import Start, Write, ended, says
from tests.interference import blocked, gated
from tests.warehouses import Copy

OUTCOMES = """
select table_name, string_agg(outcome, ', ' order by finished_at) from raw.sync_runs
group by table_name order by table_name
"""


def test_only_tables_with_a_transient_failure_are_tried_again_until_they_are_copied(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    start_daily: Start,
    warehouse: Copy,
) -> None:
    source.execute("create table steady (id int primary key)")
    source.execute("insert into steady values (1)")
    source.execute("create table hopeless as table steady")
    source.execute(gated("slow", "steady"))
    config = config_file(
        [{"name": "steady"}, {"name": "hopeless", "breaker": {"min_rows": 2}}, {"name": "slow"}],
        defaults={"retries": 3, "retry_delay": "1s"},
    )
    with blocked(source_url) as until_read:
        run = start_daily("--config", config, "--skip-dbt")
        first = until_read()
        source.execute("select pg_terminate_backend(%s)", [first])
        while (second := until_read()) == first:
            time.sleep(0.05)
        source.execute("select pg_terminate_backend(%s)", [second])
    says(ended(run), 1, "1 of 3 tables failed:\n  hopeless: ", "The other tables are published")
    assert warehouse(OUTCOMES) == [
        ("hopeless", "failed"),
        ("slow", "failed, failed, published"),
        ("steady", "published"),
    ]
