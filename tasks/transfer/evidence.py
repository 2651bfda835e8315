"""What a sample tells of columns: which values won't fit, and what speaks for a cursor."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from tasks.source.catalog import Column, Relation
from tasks.source.survey import Surveyed, Written
from tasks.transfer.types import MOST_DIGITS, Field, Kind, Limits, field_of, is_decimal

#: Names that applications give to the time of a row's last change, and to that of its making.
CHANGED = (
    *("updated_at", "modified_at", "changed_at", "last_modified", "last_updated", "last_update"),
    *("last_modified_at", "last_updated_at", "updated", "modified", "updated_on", "modified_on"),
    *("update_time", "updated_date", "modified_date", "mtime", "sys_modified"),
)
INSTANTS = {Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE}
ROWS = "rows"

# What a copy's type can't hold, of the values that PostgreSQL's can.
OUTSIDE = "{0} in ('infinity', '-infinity') or extract(year from {0}) not between 1 and 9999"
UNFIT = {
    Kind.DECIMAL: "{0} in ('NaN', 'Infinity', '-Infinity')",
    Kind.DATE: OUTSIDE,
    Kind.TIMESTAMP: OUTSIDE,
    Kind.TIMESTAMPTZ: OUTSIDE,
    Kind.TIME: "{0} = '24:00'",
}
# Outside of texts, more digits in a row than a decimal has.
LONG_NUMBER = """regexp_replace({0}::text, '"([^"\\\\]|\\\\.)*"', '', 'g') ~ '[0-9][0-9.]{{38}}'"""


@dataclass(frozen=True)
class Cursor:
    """A column that may say what changed, and the evidence; shares are of the sample's rows.

    `maintained` is the trigger that moves it, `stamped` whether a default fills it, `ties` the
    share of rows whose value another has too.
    """

    name: str
    kind: Kind
    declared: str
    means_change: bool
    indexed: bool
    maintained: str
    stamped: bool
    nulls: float = 0
    ties: float = 0
    future: int = 0
    unfit: int = 0


def measures(relation: Relation, limits: Limits) -> dict[str, sql.Composable]:
    """The expressions to compute over the rows of a relation, by name."""
    found: dict[str, sql.Composable] = {ROWS: sql.SQL("count(*)")}
    for column in relation.columns:
        field, name = field_of(column), sql.Identifier(column.name)
        if conditions := [*_unfit(field, limits)]:
            either = sql.SQL(" or ").join(sql.SQL(each).format(name) for each in conditions)
            found[f"unfit {column.name}"] = sql.SQL("count(*) filter (where {})").format(either)
        if column.type == "numeric" and field.kind is Kind.TEXT:
            for what, most in (
                ("before", "max(length(trunc(abs({0}))::text))"),
                ("after", "max(scale({0}))"),
                ("special", "count(*) filter (where {0} in ('NaN', 'Infinity', '-Infinity'))"),
            ):
                found[f"{what} {column.name}"] = sql.SQL(most).format(name)
        if field.kind in INSTANTS:
            found[f"nulls {column.name}"] = sql.SQL("count(*) - count({})").format(name)
            found[f"values {column.name}"] = sql.SQL("count(distinct {})").format(name)
            future = "count(*) filter (where {0} > now() and {0} <> 'infinity')"
            found[f"future {column.name}"] = sql.SQL(future).format(name)
    return found


def _unfit(field: Field, limits: Limits) -> Iterator[str]:
    if field.kind in UNFIT:
        yield UNFIT[field.kind]
    if field.kind is Kind.JSON and field.read_as == "text" and limits.exact_json:
        yield LONG_NUMBER
    most = {Kind.TEXT: limits.text, Kind.JSON: limits.json, Kind.BINARY: limits.binary}
    if limit := most.get(field.kind):
        text = "{0}" if field.kind is Kind.BINARY else "{0}::text"
        yield f"octet_length({text}) > {limit}"


def unfit(found: Surveyed) -> dict[str, int]:
    """How many of the sample's values the copy's type can't hold, by column."""
    sample = found.sample or {}
    counts = {name.removeprefix("unfit "): n for name, n in sample.items() if "unfit " in name[:6]}
    return {name: count for name, count in counts.items() if count}


def digits(found: Surveyed, column: Column) -> str | None:
    """The decimal that holds the sample's values of a numeric without digits, with room to grow."""
    sample = found.sample or {}
    before, after = sample.get(f"before {column.name}"), sample.get(f"after {column.name}")
    if before is None or after is None or sample.get(f"special {column.name}"):
        return None
    precision = min(MOST_DIGITS, before + 4 + after)
    fits = before + after <= precision and is_decimal(precision, after)
    return f"numeric({precision},{after})" if fits else None


def cursors(found: Surveyed) -> list[Cursor]:
    """The candidates, the best one first."""
    relation = found.relation
    assert relation is not None
    candidates = [
        _cursor(found, column)
        for column in relation.columns
        if field_of(column).kind in INSTANTS
        and (column.name.lower() in CHANGED or column.name in relation.range_columns)
    ]
    return sorted(candidates, key=_merit, reverse=True)


def _cursor(found: Surveyed, column: Column) -> Cursor:
    relation, sample = found.relation, found.sample or {}
    assert relation is not None
    written = (found.written or {}).get(column.name, Written("", ""))
    rows = sample.get(ROWS, 0)
    there = rows - sample.get(f"nulls {column.name}", 0)
    return Cursor(
        name=column.name,
        kind=field_of(column).kind,
        declared=column.declared,
        means_change=column.name.lower() in CHANGED,
        indexed=column.name in relation.range_columns,
        maintained=written.trigger,
        stamped=bool(written.default),
        nulls=1 - there / rows if rows else 0,
        ties=1 - sample.get(f"values {column.name}", 0) / there if there else 0,
        future=sample.get(f"future {column.name}", 0),
        unfit=sample.get(f"unfit {column.name}", 0),
    )


def _merit(cursor: Cursor) -> tuple[Any, ...]:
    """What is certain to move comes first, then what is cheap to read by."""
    return (
        bool(cursor.maintained),
        cursor.means_change,
        cursor.nulls < 1,
        cursor.indexed,
        cursor.kind is Kind.TIMESTAMPTZ,
        -cursor.nulls,
    )
