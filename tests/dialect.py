"""Snowflake's dialect, as sqlglot knows it: what an emulator accepts is not yet Snowflake's SQL."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

# What sqlglot takes as a mere command though it is Snowflake's.
COMMANDS = ("remove @", "show user functions in ")  # the second is dbt's


def ours(statements: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The statements that bear our tag, each once."""
    texts = (
        each["sqlText"]
        for each in statements
        if "step" in str((each["parameters"] or {}).get("QUERY_TAG"))
    )
    yield from dict.fromkeys(texts)


def not_snowflake(statements: Iterable[dict[str, Any]]) -> list[str]:
    """Our statements that sqlglot can't parse in Snowflake's dialect, or takes for a command."""
    return [text for text in ours(statements) if not _is_understood(text)]


def _is_understood(text: str) -> bool:
    try:
        parsed = sqlglot.parse_one(text, dialect="snowflake")
    except ParseError:
        return False
    return not isinstance(parsed, exp.Command) or text.startswith(COMMANDS)
