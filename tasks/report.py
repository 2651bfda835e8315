"""What a person sees of a night: the summary table, on the terminal and as a Prefect artifact."""

import io
import sys
from dataclasses import asdict

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from rich.console import Console
from rich.table import Table

from tasks.connect import open_warehouse
from tasks.cost import bill, bill_lines
from tasks.errors import DaybreakError
from tasks.logs import log
from tasks.night import Night
from tasks.page import ledger_rows, write_page
from tasks.pages.page import LedgerRows
from tasks.warehouse.base import OpenLetters

NUMBERS = ("rows read", "published", "dead letters", "seconds")


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report(night: Night) -> None:
    """Prints the summary and keeps it as an artifact of the run, once a table has ended."""
    if not (night.outcomes or night.failures):
        return
    rows: LedgerRows | None = None
    try:
        with open_warehouse(night.settings, run=night.run_id, step="report") as warehouse:
            night.open_letters = warehouse.open_letters()
            if cost := bill(warehouse, night.settings, night.run_id):
                night.bill = [*bill_lines(night.settings.cost, cost)]
            rows = ledger_rows(warehouse)
    except DaybreakError as error:
        log.warning("The report lacks what the ledger says: %s", error)
    if failure := sys.exception():  # who is told of it is told what it cost
        failure.add_note("\n".join(f"cost: {line}" for line in night.bill))
    create_table_artifact(
        [asdict(outcome) for outcome in night.outcomes],
        key="summary",
        description="What the night did to each table.",
    )
    print(summary(night))
    if rows and (written := write_page(rows, night.settings, night.bill)):
        print(f"report   {written}")


def summary(night: Night) -> str:
    """The summary as text, at most 100 columns wide."""
    table = Table("table", "mode", title_justify="left", box=None, pad_edge=False)
    for name in NUMBERS:
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for each in night.outcomes:
        figures = (each.rows_read, each.rows_published, each.rows_dead_lettered)
        table.add_row(
            each.table,
            each.mode,
            *(f"{figure:,}" for figure in figures),
            f"{each.seconds:.1f}",
            each.outcome,
        )
    for name in night.failures:
        table.add_row(name, "", "", "", "", "", "failed")
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print()
    console.print(table)
    for each in night.outcomes:
        for told in each.remarks:
            console.print(f"{each.table}: {told}", highlight=False, markup=False)
    console.print()
    if night.open_letters is not None:
        console.print(f"letters  {_open(night.open_letters)}", highlight=False, markup=False)
    if night.built:
        console.print(f"dbt      {night.built.models} models and {night.built.tests} tests passed")
    if night.verdict:
        console.print(f"quality  {night.verdict}", highlight=False)
    for line in night.bill:
        console.print(f"cost     {line}", highlight=False, markup=False)
    return text.getvalue().rstrip()


def _open(letters: list[OpenLetters]) -> str:
    """How many dead letters are open, with those of each table and rule."""
    if not letters:
        return "none open"
    each = ", ".join(f"{one.table} {one.rule} {one.letters:,}" for one in letters)
    return f"{sum(one.letters for one in letters):,} open: {each}"
