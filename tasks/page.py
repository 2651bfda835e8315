"""The report page of all runs, written anew after each from what the ledger holds."""

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from prefect.artifacts import create_link_artifact

from tasks.config import Config
from tasks.logs import log
from tasks.pages.page import LedgerRows, page
from tasks.warehouse.base import Warehouse
from tasks.warehouse.tables import TABLES

PAGE = Path(".daybreak/report/index.html")
#: Rows of each of the ledger's tables that the page is made from, the newest.
MOST = 10_000
#: What each is sorted by, in the order of `LedgerRows`.
NEWEST_BY = {
    "sync_runs": "finished_at",
    "quality_results": "measured_at",
    "dead_letters": "last_seen",
    "reconcile_results": "compared_at",
    "sync_costs": "started_at",
    "dbt_results": "finished_at",
}


def ledger_rows(warehouse: Warehouse) -> LedgerRows:
    """The newest rows of each of the ledger's tables.

    Raises:
        DaybreakError: When the warehouse can't be read.
    """
    return LedgerRows(
        *(_frame(warehouse.newest(table, by, MOST), table) for table, by in NEWEST_BY.items())
    )


def write_page(rows: LedgerRows, config: Config, bill: list[str]) -> Path | None:
    """Writes the page and links it from an artifact; None where it can't be, which is logged.

    Args:
        bill: What the last run and the month cost, in words.
    """
    configured = [table.target for table in config.tables]
    try:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        fresh = PAGE.with_suffix(f".{os.getpid()}")
        fresh.write_text(page(rows, configured, bill, datetime.now(UTC)), encoding="utf-8")
        fresh.replace(PAGE)  # so that nobody reads half a page
    except OSError as error:
        log.warning("The report page stays as it was: %s", error)
        return None
    create_link_artifact(PAGE.resolve().as_uri(), link_text="report page", key="report")
    return PAGE


def _frame(rows: list[tuple[object, ...]], table: str) -> pl.DataFrame:
    kinds = {
        "varchar": pl.String(),
        "bigint": pl.Int64(),
        "double": pl.Float64(),
        "boolean": pl.Boolean(),
        "{instant}": pl.Datetime("us", "UTC"),
    }
    schema = {name: kinds[kind.split()[0]] for name, kind in TABLES[table].items()}
    return pl.DataFrame(rows, schema=schema, orient="row")
