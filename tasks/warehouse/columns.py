"""The statements by which a copy's columns follow the source's, in SQL that both warehouses read.

They are made from the columns that are really there, so that a publish which died after some of
them is followed by one that goes on where it ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.errors import PermanentError
from tasks.warehouse.base import Publication


@dataclass(frozen=True)
class Wanted:
    """A column of the source: its type in DDL, and the type that the warehouse then shows."""

    name: str
    type: str
    shown: str


def alterations(
    publication: Publication,
    target: str,
    there: dict[str, str],
    wanted: list[Wanted],
    stored: Callable[[str], str],
    quote: Callable[[str], str],
) -> Iterator[str]:
    """What has to be run before rows of the wanted columns go into the target.

    Args:
        target: The quoted table.
        there: Its columns as they are `stored`, with the types that the warehouse shows.

    Raises:
        PermanentError: When a column is not what the last publish left there.
    """
    evolution, there = publication.evolution, dict(there)
    for old, new in evolution.renamed.items():
        if stored(old) in there and stored(new) not in there:
            yield f"alter table {target} rename column {quote(old)} to {quote(new)}"
            there[stored(new)] = there.pop(stored(old))
    for column in wanted:
        name, found = quote(column.name), there.get(stored(column.name))
        if found is None:
            if publication.replaced is not None and column.name not in evolution.added:
                raise _missing(target, name)
            yield f"alter table {target} add column if not exists {name} {column.type}"
        elif found != column.shown:
            if column.name not in evolution.widened:
                raise _another_type(target, name, found, column)
            yield f"alter table {target} alter column {name} set data type {column.type}"


def _missing(target: str, name: str) -> PermanentError:
    return PermanentError(
        f"{target} has no column {name} any more, though the source has.",
        remedy="Run once with --full-refresh, which adds and fills it.",
    )


def _another_type(target: str, name: str, found: str, column: Wanted) -> PermanentError:
    return PermanentError(
        f"{target} has {name} as {found}, and it is {column.shown} now.",
        remedy=f"ALTER TABLE {target} DROP COLUMN {name}; then run again with --full-refresh,"
        " which fills it anew.",
    )
