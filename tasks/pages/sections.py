"""The sections of the report, each from rows of one of the ledger's tables.

Tables are great_tables', which escapes what they show.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from html import escape
from typing import Any

import polars as pl
from great_tables import GT

from tasks.pages.sparkline import SHOWN, sparkline

#: Letters of a rule that are shown.
SAMPLES = 3
#: Changes of shapes that are shown.
CHANGES = 60
#: Rows of a table that have sparklines; a page of thousands would be slow to write and to read.
DRAWN = 100
#: great_tables names a column's header by its words, which several tables of the page have.
REPEATED_IDS = re.compile(r'(?<=<td) headers="[^"]*"|(?<=scope="col") id="[^"]*"')


def glance(runs: pl.DataFrame, checks: pl.DataFrame, letters: pl.DataFrame) -> str:
    """The last run's verdict, and what needs a person."""
    if runs.is_empty():
        return "<p>No run is in the ledger yet.</p>"
    newest = runs.sort("finished_at")[-1, "run_id"]
    last = runs.filter(pl.col("run_id") == newest)
    latest = last.sort("finished_at").unique("table_name", keep="last", maintain_order=True)
    failed = latest.filter(pl.col("outcome") == "failed")
    breached = checks.filter((pl.col("run_id") == newest) & pl.col("breached"))
    opened = letters.filter(pl.col("closed_at").is_null())
    good = not (len(failed) or len(breached))
    verdict = "Every table copied, every check met" if good else "Failed"
    figures = [
        f"{len(latest) - len(failed):,} of {len(latest):,} tables copied",
        f"{latest['rows_published'].sum() or 0:,} rows published",
        f"{len(breached):,} checks breached",
        f"{len(opened):,} dead letters open",
    ]
    told = [*failed["error"].drop_nulls(), *map(_breach, breached.to_dicts())]
    needs = "".join(f"<li>{escape(each)}</li>" for each in told)
    return (
        f'<p class="verdict {"good" if good else "failed"}">{verdict}</p>'
        f"<p>{' · '.join(figures)}</p>"
        f"<p>Run {escape(newest)}, ended {_instant(last['finished_at'].max())}.</p>"
        + (f"<h3>Needs a person</h3><ul>{needs}</ul>" if needs else "")
    )


def _breach(check: dict[str, Any]) -> str:
    return (
        f"{check['relation']}: {check['check_name']} is {check['measured']},"
        f" expected {check['threshold']}"
    )


def _instant(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else ""


def tables(runs: pl.DataFrame, configured: Collection[str], now: datetime) -> str:
    """Each table's last attempts, with its figures over time; those no longer configured last."""
    if runs.is_empty():
        return "<p>No table was copied yet.</p>"
    published = pl.col("outcome") == "published"
    newest = pl.col("finished_at").filter(published).max()
    gaps = pl.col("finished_at").filter(published).diff().dt.total_minutes() / 60
    over_time = {
        "rows over time": pl.col("rows_published").filter(published),
        "seconds over time": pl.col("seconds").filter(published),
        "dead letters over time": pl.col("rows_dead_lettered").filter(published),
        "hours between copies": gaps,
    }
    removed = ~pl.col("table_name").is_in(list(configured))
    frame = (
        runs.sort("finished_at")
        .group_by("table_name")
        .agg(
            pl.col("outcome").last().alias("last attempt"),
            ((pl.lit(now) - newest).dt.total_minutes() / 60).alias("hours old"),
            pl.col("rows_published").filter(published).last().alias("rows"),
            pl.col("cpu_seconds").filter(published).last().alias("CPU s"),
            *(numbers.tail(SHOWN).alias(name) for name, numbers in over_time.items()),
        )
        .sort(removed, pl.col("last attempt") != "failed", "table_name")
        .with_columns(
            pl.when(removed)
            .then(pl.format("{}, no longer configured", "last attempt"))
            .otherwise("last attempt")
            .alias("last attempt")
        )
    )
    return _shown(frame.rename({"table_name": "table"}), [*over_time])


def checks(results: pl.DataFrame) -> str:
    """Each check's measurements over time, with its threshold as a line across them."""
    if results.is_empty():
        return "<p>Nothing was measured yet.</p>"
    breached = pl.col("breached").last()
    frame = (
        results.sort("measured_at")
        .group_by("relation", "check_name")
        .agg(
            pl.col("measured").last().alias("last"),
            pl.col("threshold").last(),
            pl.when(breached).then(pl.lit("breached")).otherwise(pl.lit("met")).alias("state"),
            pl.col("measured").tail(SHOWN).alias("over time"),
            pl.coalesce("at_most", "at_least").last().alias("bound"),
        )
        .sort(pl.col("state") != "breached", "relation", "check_name")
    )
    return _shown(frame.rename({"check_name": "check"}), ["over time"], bound="bound")


def letters(found: pl.DataFrame) -> str:
    """Open dead letters by table and rule, with the keys and values of a few."""
    opened = found.filter(pl.col("closed_at").is_null())
    if opened.is_empty():
        return "<p>No dead letter is open.</p>"
    sample = pl.format("{} = {}", "row_key", pl.col("value").fill_null("NULL"))
    frame = (
        opened.sort("last_seen", descending=True)
        .group_by("table_name", "rule", "column_name")
        .agg(
            pl.len().alias("open"),
            pl.col("first_seen").min().dt.strftime("%Y-%m-%d").alias("since"),
            sample.head(SAMPLES).str.join(", ").alias("such as"),
        )
        .sort("open", descending=True)
    )
    return _shown(frame.rename({"table_name": "table", "column_name": "column"}))


def reconciled(results: pl.DataFrame) -> str:
    """The last comparison of each table with its source."""
    if results.is_empty():
        return "<p>No copy was compared with its source yet: run <code>reconcile</code>.</p>"
    frame = (
        results.sort("compared_at")
        .unique("table_name", keep="last", maintain_order=True)
        .select(
            pl.col("table_name").alias("table"),
            pl.col("compared_at").dt.strftime("%Y-%m-%d %H:%M").alias("compared"),
            pl.col("rows_source").alias("rows"),
            pl.col("rows_missing").alias("missing"),
            pl.col("rows_extra").alias("extra"),
            pl.col("rows_different").alias("different"),
            "repaired",
        )
        .sort("table")
    )
    return _shown(frame)


def changes(runs: pl.DataFrame) -> str:
    """How the sources' shapes changed, the newest first."""
    changed = runs.filter(
        pl.col("schema_changes").is_not_null() & (pl.col("outcome") == "published")
    )
    if changed.is_empty():
        return "<p>No source changed its shape.</p>"
    frame = changed.sort("finished_at", descending=True).head(CHANGES)
    when = pl.col("finished_at").dt.strftime("%Y-%m-%d %H:%M").alias("published")
    return _shown(frame.select(when, pl.col("table_name").alias("table"), "schema_changes"))


def built(nodes: pl.DataFrame) -> str:
    """dbt's models and tests of the last build, the slowest first."""
    if nodes.is_empty():
        return "<p>dbt has built nothing yet.</p>"
    newest = nodes.sort("finished_at")[-1, "run_id"]
    last = nodes.filter(pl.col("run_id") == newest).sort("seconds", descending=True)
    parts = pl.col("node").str.split(".")
    kind, name = parts.list.first().alias("kind"), parts.list.get(2).alias("name")
    return _shown(last.select(kind, name, "status", "seconds"))


def cost(steps: pl.DataFrame, bill: Sequence[str]) -> str:
    """The bill, and what each table's queries cost Snowflake, the dearest first."""
    told = "".join(f"<p>{escape(line)}</p>" for line in bill)
    if steps.is_empty():
        return told or "<p>What the run cost is not known.</p>"
    frame = (
        steps.group_by(pl.col("table_name").fill_null("shared, such as dbt").alias("table"))
        .agg(
            pl.col("run_id").n_unique().alias("runs"),
            pl.col("warehouse_seconds").sum().alias("seconds"),
            (pl.col("bytes_scanned").sum() / 1e9).alias("GB scanned"),
            pl.col("credits").sum().alias("credits"),
        )
        .sort("credits", "seconds", descending=True)
    )
    return told + _shown(frame)


def _shown(frame: pl.DataFrame, over_time: Sequence[str] = (), bound: str | None = None) -> str:
    """A table as HTML.

    Args:
        over_time: Columns of lists, of which the first rows are drawn as sparklines.
        bound: A column that isn't shown, of where a line goes across them.
    """
    bounds = frame[bound] if bound else [None] * len(frame)
    drawn = [
        pl.Series(
            name,
            [
                sparkline(name, values, at)
                for values, at in zip(frame[name][:DRAWN].to_list(), bounds, strict=False)
            ]
            + [None] * (len(frame) - DRAWN),
            dtype=pl.String,
        )
        for name in over_time
    ]
    table = GT(frame.drop([bound] if bound else []).with_columns(drawn))
    numbers = [name for name, kind in frame.schema.items() if kind.is_integer()]
    floats = [name for name, kind in frame.schema.items() if kind.is_float() and name != bound]
    shown = (
        table.fmt_integer(numbers)
        .fmt_number(floats, decimals=3, drop_trailing_zeros=True)
        .fmt(lambda image: image, [*over_time])
        .sub_missing(missing_text="–")
    )
    rest = f"<p>Only the first {DRAWN} of {len(frame):,} are drawn over time.</p>"
    written = REPEATED_IDS.sub("", shown.as_raw_html())
    return written + (rest if over_time and len(frame) > DRAWN else "")
