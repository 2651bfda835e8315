"""A column of numbers as a line no higher than the text beside it."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import vl_convert

#: Numbers that are drawn, the newest last.
SHOWN = 60
WIDTH, HEIGHT = 120, 24
LINE, BOUND = "#4c78a8", "#d6453d"


def sparkline(name: str, values: Sequence[float | None], bound: float | None = None) -> str:
    """The numbers as an image in the page, which zero is always part of.

    Args:
        name: What they are, for those who don't see the image.
        bound: Where a dashed line goes across.
    """
    points = [
        {"x": place, "y": value} for place, value in enumerate(values[-SHOWN:]) if value is not None
    ]
    if not points:
        return "–"
    numbers = [point["y"] for point in points]
    given = {
        "points": points,
        "last": points[-1:],
        "bound": [{"y": bound}] if bound is not None else [],
    }
    drawing = _drawing()
    data = [
        {**each, "values": given[each["name"]]} if each["name"] in given else each
        for each in drawing["data"]
    ]
    said = (
        f"{name}: {len(numbers)} from {min(numbers):,.4g} to {max(numbers):,.4g},"
        f" the last {numbers[-1]:,.4g}"
    )
    image = vl_convert.vega_to_svg({**drawing, "data": data})
    return f'<span role="img" aria-label="{escape(said)}">{image}</span>'


@cache
def _drawing() -> dict[str, Any]:
    """The chart but for its data, translated from Vega-Lite's grammar once for all."""
    x, y = ({channel: {"field": channel, "type": "quantitative", "axis": None}} for channel in "xy")
    dot = {"type": "circle", "size": 18, "opacity": 1, "color": LINE}
    return vl_convert.vegalite_to_vega(
        {
            "width": WIDTH,
            "height": HEIGHT,
            "layer": [
                {
                    "data": {"name": "points"},
                    "mark": {"type": "line", "strokeWidth": 1.5, "color": LINE},
                    "encoding": x | y,
                },
                {"data": {"name": "last"}, "mark": dot, "encoding": x | y},
                {
                    "data": {"name": "bound"},
                    "mark": {"type": "rule", "strokeDash": [3, 2], "color": BOUND},
                    "encoding": y,
                },
            ],
            "config": {
                "mark": {"aria": False},
                "background": None,
                "padding": 3,
                "view": {"stroke": None},
            },
        }
    )
