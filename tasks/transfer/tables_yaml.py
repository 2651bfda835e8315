"""The configuration file that an analysis recommends, with its reasons as comments."""

from collections.abc import Iterator
from typing import Any

import yaml

from tasks.transfer.advice import Advice


def tables_yaml(parts: dict[str, Any], advices: list[Advice], about: str) -> str:
    """The file's text.

    Args:
        parts: What stands above the tables, such as source and warehouse, without secrets.
        about: One line on what was analysed.
    """
    lines = [
        f"# {about}",
        "# Read the reasons, change what you know better, then:",
        "#   python flows/daily.py --config THIS FILE --skip-dbt",
        *_dumped(parts),
        "tables:",
    ]
    for advice in advices:
        lines += ["", *_entry(advice)]
    return "\n".join(lines) + "\n"


def _entry(advice: Advice) -> Iterator[str]:
    if advice.settings is None:
        yield f"  # - name: {_dumped(advice.name)[0]}"
        yield from _comment(advice.left_out)
        return
    yield from _comment(advice.reason)
    for remark in advice.remarks:
        yield from _comment(remark)
    indent = "  - "
    for line in _dumped(advice.settings):
        yield indent + line
        indent = "    "


def _comment(text: str) -> Iterator[str]:
    """One line, whatever the source's names hold."""
    if text:
        shown = "".join(letter if letter.isprintable() else " " for letter in text)
        yield "  # " + " ".join(shown.split())


def _dumped(value: Any) -> list[str]:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
    return [line for line in text.splitlines() if line != "..."]
