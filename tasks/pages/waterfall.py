"""The last run's slowest steps over its time, drawn by Vega-Lite as an image in the page."""

import json
from html import escape
from typing import Any

import polars as pl
import vl_convert

#: Steps that are drawn.
SLOWEST = 20
#: How tables and dbt's nodes end that did not do what they were to.
FAILED = ("failed", "fail", "error")
#: The page's own ink, light or dark.
INK = "currentColor"
#: Pixels of the image, which the page scales to its width, and of one step.
WIDTH, HEIGHT = 620, 22


def waterfall(runs: pl.DataFrame, nodes: pl.DataFrame) -> str:
    """The steps that took longest, in the order that they began."""
    shown = steps(runs, nodes)
    if shown.is_empty():
        return "<p>No run is in the ledger yet.</p>"
    said = shown.select(pl.format("{} {} s", "step", pl.col("seconds").round(1))).to_series()
    image = vl_convert.vegalite_to_svg(json.dumps(_drawing(shown)))
    return f'<div class="chart" role="img" aria-label="{escape("; ".join(said))}">{image}</div>'


def steps(runs: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    """Columns step, failed, and begin, end and seconds, each in seconds since the first began."""
    name = pl.col("node").str.split(".")
    kept = ("run_id", "outcome", "seconds", "finished_at")
    tables = runs.select(*kept, step="table_name")
    built = nodes.rename({"status": "outcome"}).select(
        *kept, step=pl.format("{} {}", name.list.first(), name.list.get(2))
    )
    newest = runs.sort("finished_at").tail(1).select("run_id")
    began = pl.col("finished_at") - pl.duration(microseconds=pl.col("seconds") * 1_000_000)
    return (
        pl.concat([tables, built])
        .join(newest, on="run_id")
        .drop_nulls("seconds")
        .with_columns(begin=(began - began.min()).dt.total_microseconds() / 1_000_000)
        .sort("seconds", descending=True)
        .head(SLOWEST)
        .sort("begin", "step")
        .select(
            "step",
            "begin",
            "seconds",
            end=pl.col("begin") + pl.col("seconds"),
            failed=pl.col("outcome").is_in(FAILED),
        )
    )


def _drawing(shown: pl.DataFrame) -> dict[str, Any]:
    """The chart in Vega-Lite's grammar (https://vega.github.io/vega-lite/docs/)."""
    number = {"type": "quantitative"}
    begin = {"field": "begin", **number, "title": "seconds since the first began"}
    end = {"field": "end", **number}
    color = {"condition": {"test": "datum.failed", "value": "#d6453d"}, "value": "#4c78a8"}
    text = {"field": "seconds", **number, "format": ".1f"}
    place = {"align": "left", "dx": 4, "color": INK}
    return {
        "data": {"values": shown.to_dicts()},
        "width": WIDTH,
        "height": {"step": HEIGHT},
        "encoding": {"y": {"field": "step", "type": "nominal", "sort": None, "title": None}},
        "layer": [
            {"mark": "bar", "encoding": {"x": begin, "x2": {"field": "end"}, "color": color}},
            {"mark": {"type": "text", **place}, "encoding": {"x": end, "text": text}},
        ],
        "config": {
            "mark": {"aria": False},
            "background": None,
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "padding": {"left": 16, "top": 5, "right": 5, "bottom": 5},
            "axis": {"labelColor": INK, "titleColor": INK, "domainColor": INK, "gridOpacity": 0.3},
            "axisX": {"tickCount": 6},
            "axisY": {"labelLimit": 240},
        },
    }
