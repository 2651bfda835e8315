"""The whole page: self-contained, light and dark, readable on a phone and on paper."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from tasks.pages import sections
from tasks.pages.waterfall import waterfall

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f24; --paper: #fff; --line: #d8dce2; --good: #14713d;
        --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #16181c; --line: #3a3f47; --good: #6fd39b; --bad: #ff8a80; }
}
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--ink);
       background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
section { margin: 2rem 0; overflow-x: auto; }
section > div { overflow: visible !important; }
.verdict { font-size: 2rem; font-weight: 700; margin: 0; }
.good { color: var(--good); } .failed { color: var(--bad); }
main .gt_table, main .gt_table * { color: var(--ink) !important;
  background-color: transparent !important; border-color: var(--line) !important; }
main .gt_table { font: inherit !important; margin-left: 0 !important; }
.chart svg { width: 100%; min-width: 36rem; height: auto; }
main .gt_table svg { min-width: 7rem; }
@media print { section { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class LedgerRows:
    """Rows of the ledger's tables, the newest of each."""

    runs: pl.DataFrame
    checks: pl.DataFrame
    letters: pl.DataFrame
    reconciled: pl.DataFrame
    costs: pl.DataFrame
    built: pl.DataFrame


def page(rows: LedgerRows, configured: Collection[str], bill: Sequence[str], now: datetime) -> str:
    """The report as one HTML document without a reference to anything outside.

    Args:
        configured: The copies' names by the configuration; the ledger remembers others.
        bill: What the last run and the month cost, in words.
        now: With its time zone; what ages are counted from.
    """
    parts = {
        "Last run": sections.glance(rows.runs, rows.checks, rows.letters),
        "Tables": sections.tables(rows.runs, configured, now),
        "Quality": sections.checks(rows.checks),
        "Dead letters": sections.letters(rows.letters),
        "Compared with the source": sections.reconciled(rows.reconciled),
        "Schema changes": sections.changes(rows.runs),
        "Slowest steps of the last run": waterfall(rows.runs, rows.built),
        "dbt": sections.built(rows.built),
        "Cost": sections.cost(rows.costs, bill),
    }
    body = "\n".join(
        f'<section aria-labelledby="s{number}" tabindex="0">'
        f'<h2 id="s{number}">{title}</h2>{part}</section>'
        for number, (title, part) in enumerate(parts.items())
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Daybreak</title><style>{STYLE}</style></head><body>"
        f"<header><h1>Daybreak</h1><p>As of {now:%Y-%m-%d %H:%M %Z}</p></header>"
        f"<main>\n{body}\n</main></body></html>\n"
    )
