"""What runs cost: the warehouse's time, bytes, credits and storage, and this process's CPU."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from rich.filesize import decimal

from tasks.config import Config, Cost
from tasks.errors import DaybreakError, PermanentError
from tasks.logs import log
from tasks.warehouse import snowflake_cost
from tasks.warehouse.base import Warehouse

TERABYTE = 1024**4
#: Days of a month before its pace tells something.
PACE_DAYS = 3
INSTANT = pl.Datetime("us", "UTC")
ATTEMPTS = {
    "run_id": pl.String,
    "table_name": pl.String,
    "finished_at": INSTANT,
    "cpu_seconds": pl.Float64,
}
STATEMENTS = {
    "run_id": pl.String,
    "table_name": pl.String,
    "started_at": INSTANT,
    "warehouse_seconds": pl.Float64,
    "bytes_scanned": pl.Int64,
    "credits": pl.Float64,
}
SUMMED = ("cpu_seconds", "warehouse_seconds", "bytes_scanned", "credits")


@dataclass(frozen=True)
class Bill:
    """What a run cost by now, and its month; None is not known, or not yet.

    `warning` is what there is to say of the budget.
    """

    cpu_seconds: float | None
    warehouse_seconds: float | None = None
    bytes_scanned: int | None = None
    credits: float | None = None
    month_credits: float = 0
    storage_bytes: int = 0
    warning: str | None = None


def costs(warehouse: Warehouse, config: Config, since: datetime | None = None) -> pl.DataFrame:
    """What each table of each run cost, from the ledger.

    Columns are run_id, table_name, at (UTC, its end or first statement), cpu_seconds,
    warehouse_seconds, bytes_scanned, credits and cost (in `cost.currency`). Where table_name is
    null it is what tables share: dbt and the quality gate. Null figures are not known (yet).

    Args:
        since: Leave out what ended, or was asked of the warehouse, before.
    """
    raw = warehouse.quote(config.warehouse.raw_schema)
    since = since or datetime(1, 1, 1, tzinfo=UTC)
    attempts = _read(warehouse, f"{raw}.sync_runs", ATTEMPTS, "finished_at", since)
    statements = _read(warehouse, f"{raw}.sync_costs", STATEMENTS, "started_at", since)
    price = config.cost.credit_price if config.cost else None
    both = pl.concat(
        [attempts.rename({"finished_at": "at"}), statements.rename({"started_at": "at"})],
        how="diagonal",
    )
    return (
        both.group_by("run_id", "table_name")
        .agg(pl.col("at").max(), *(_known_sum(name) for name in SUMMED))
        .with_columns((pl.col("credits") * pl.lit(price, pl.Float64)).alias("cost"))
        .sort("at", "table_name")
    )


def bill(warehouse: Warehouse, config: Config, run_id: str) -> Bill | None:
    """What a run cost; None where nothing is known. A night does not fail for its bill."""
    if config.warehouse.kind == "snowflake" and config.cost is None:
        return None
    today = datetime.now(UTC)
    month = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    try:
        storage = _refreshed(warehouse, config) if config.cost else 0
        found = costs(warehouse, config, month)
    except DaybreakError as error:
        log.warning("What the run cost is not known: %s", error)
        return None
    mine = found.filter(pl.col("run_id") == run_id)
    spent = float(found["credits"].sum())
    warning = over_budget(config.cost, spent, today) if config.cost else None
    if warning:
        log.warning("%s", warning)
    figures = {name: _total(mine[name]) for name in SUMMED}
    return Bill(**figures, month_credits=spent, storage_bytes=storage, warning=warning)


def bill_lines(cost: Cost | None, bill: Bill) -> Iterator[str]:
    """A bill as the summary tells it."""
    if cost is None:
        yield f"{bill.cpu_seconds or 0:,.1f} CPU s"
        return
    scanned = decimal(bill.bytes_scanned or 0)
    run = f"{bill.warehouse_seconds or 0:,.1f} warehouse s, {scanned} scanned"
    if bill.credits is None:
        yield f"{run}; Snowflake tells credits hours later, and a later run keeps them"
    else:
        price = f"{bill.credits * cost.credit_price:,.2f} {cost.currency}"
        yield f"{run}, {bill.credits:,.3f} credits by now ({price})"
    month = f"{bill.month_credits * cost.credit_price:,.2f} {cost.currency} this month"
    if cost.monthly_budget:
        month += f" of {cost.monthly_budget:,.2f}"
    if cost.storage_price:
        stored = bill.storage_bytes / TERABYTE * cost.storage_price
        month += f", storage {decimal(bill.storage_bytes)} ({stored:,.2f} {cost.currency} a month)"
    yield month
    if bill.warning:
        yield bill.warning


def over_budget(cost: Cost, used: float, today: datetime) -> str | None:
    """What to warn of: a month that has cost more than its budget, or will at its pace.

    Args:
        used: Credits of the month by now.
    """
    if cost.monthly_budget is None:
        return None
    spent, budget = (
        used * cost.credit_price,
        f"more than its budget of {cost.monthly_budget:,.2f}",
    )
    if spent > cost.monthly_budget:
        return f"This month has cost {spent:,.2f} {cost.currency}, {budget}."
    begun = today.day - 1 + today.hour / 24
    days = calendar.monthrange(today.year, today.month)[1]
    if begun >= PACE_DAYS and (pace := spent / begun * days) > cost.monthly_budget:
        return f"At its pace this month costs {pace:,.2f} {cost.currency}, {budget}."
    return None


def _refreshed(warehouse: Warehouse, config: Config) -> int:
    """Reads anew what the last days cost; returns the bytes that the copies take up."""
    raw = config.warehouse.raw_schema
    try:
        snowflake_cost.refresh(warehouse.query, warehouse.quote(raw))
    except PermanentError as error:
        log.warning("%s", error)
    return snowflake_cost.storage(warehouse.query, raw)


def _read(
    warehouse: Warehouse, table: str, columns: dict[str, Any], by: str, since: datetime
) -> pl.DataFrame:
    rows = warehouse.query(f"select {', '.join(columns)} from {table} where {by} >= ?", [since])
    return pl.DataFrame(rows, columns, orient="row")


def _known_sum(name: str) -> pl.Expr:
    """A sum that is null when no value is known."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def _total(values: pl.Series) -> Any:
    return values.sum() if values.count() else None
