"""`python -m tests.bench.report`: how long the report page of a long ledger takes, and its size."""

import argparse
import time
from datetime import UTC, datetime

import duckdb

from tasks.config import Config
from tasks.connect import open_warehouse
from tests.bench.__main__ import HOME

#: Rows of the ledger: hourly attempts of so many tables, measurements and nodes of so many models.
LEDGER = """
insert into raw.sync_runs (run_id, table_name, attempt, outcome, rows_published,
    rows_dead_lettered, seconds, cpu_seconds, finished_at)
select 'run ' || n // {tables}, 'table ' || n % {tables}, n, 'published', n, n % 7, n % 60, 1,
    now() - n // {tables} * interval 1 hour from range({runs}) _(n);
insert into raw.quality_results
select 'run ' || n // {tables}, 'mart.t' || n % {tables}, 'rows', n, 'at least 9', 9, null, false,
    now() - n // {tables} * interval 1 hour from range({checks}) _(n);
insert into raw.dbt_results (run_id, node, status, seconds, finished_at)
select 'run ' || n // {tables}, 'model.shop.m' || n % {tables}, 'success', n % 30,
    now() - n // {tables} * interval 1 hour from range({checks}) _(n)
"""


def measure(rows: int, tables: int) -> None:
    """Prints the seconds from the ledger to the page, imports of what draws it included."""
    path = HOME / "report.duckdb"
    path.unlink(missing_ok=True)
    document = {
        "source": {"demo": {}},
        "warehouse": {"path": path},
        "tables": [{"name": "table 0"}],
    }
    config = Config.model_validate(document)
    with open_warehouse(config) as warehouse:
        warehouse.prepare()
    with duckdb.connect(path) as ledger:
        ledger.execute(LEDGER.format(tables=tables, runs=rows // 2, checks=rows // 4))
    started = time.perf_counter()
    from tasks.page import ledger_rows
    from tasks.pages.page import page

    with open_warehouse(config) as warehouse:
        rows_read = ledger_rows(warehouse)
    written = page(rows_read, ["table 0"], [], datetime.now(UTC))
    seconds = time.perf_counter() - started
    print(
        f"{rows:,} rows of {tables:,} tables: {seconds:.1f} s, {len(written.encode()) / 1e6:.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--tables", type=int, default=50)
    options = parser.parse_args()
    measure(options.rows, options.tables)


if __name__ == "__main__":
    main()
