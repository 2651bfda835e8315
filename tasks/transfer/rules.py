"""Splits a chunk into the rows that may be published and the dead letters, column at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from tasks.errors import PermanentError
from tasks.fields import Policy
from tasks.table import Table
from tasks.transfer.convert import convert, unconverted
from tasks.transfer.row_rules import RowRule
from tasks.transfer.spelling import as_text
from tasks.transfer.types import Field

LETTER = {
    "row_key": pl.String,
    "rule": pl.String,
    "column_name": pl.String,
    "value": pl.String,
    "record": pl.String,
}


@dataclass(frozen=True)
class Screened:
    """One chunk after the screen.

    `good` holds the rows to publish, `letters` one row for each broken rule (schema `LETTER`),
    `dead` is the number of rows held back. `unfit` counts the values a column that their type can't
    hold, by what became of them: `null` or `dead_letter`.
    """

    good: pl.DataFrame
    converted: pl.DataFrame
    letters: pl.DataFrame
    dead: int
    unfit: dict[tuple[str, Policy], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Violation:
    """Rows that break a rule, and the columns that it judges them by."""

    rule: str
    columns: tuple[str, ...]
    rows: pl.Series

    @property
    def column(self) -> str:
        return ", ".join(self.columns)

    @property
    def value(self) -> pl.Expr:
        """The offending text; where it is of several columns, as JSON."""
        if len(self.columns) == 1:
            return pl.col(self.columns[0])
        return pl.struct(self.columns).struct.json_encode()


def screen(
    read: pl.DataFrame, fields: list[Field], table: Table, key: list[str], rules: list[RowRule]
) -> Screened:
    """Masks and converts a chunk, and holds back the rows that break a rule.

    Args:
        read: The chunk as the source sent it.
        key: Columns that identify a row in its letter; the whole row when empty.
        rules: Those of the table (tasks/transfer/row_rules.py).

    Raises:
        PermanentError: When a value has no place in its type and `unrepresentable` is `fail`.
    """
    read = read.with_columns(field.mask.apply(field.name) for field in fields if field.mask)
    converted = convert(read, fields)
    broken: list[Violation] = []
    unfit: dict[tuple[str, Policy], int] = {}
    for violation in _unrepresentable(read, converted, fields):
        policy = table.policy(violation.column)
        if policy == "fail":
            raise _refusal(read, violation, fields, table)
        if policy == "dead_letter" or violation.column in key:
            policy = "dead_letter"
            broken.append(violation)
        unfit[violation.column, policy] = int(violation.rows.sum())
    broken += _broken_rules(converted, rules, {each.column: each for each in broken})
    if not broken:
        return Screened(converted, converted, pl.DataFrame(schema=LETTER), 0, unfit)
    dead = pl.select(pl.any_horizontal([violation.rows for violation in broken])).to_series()
    letters = pl.concat([_letters(read, violation, fields, key) for violation in broken])
    return Screened(converted.filter(~dead), converted, letters, int(dead.sum()), unfit)


def spelled_keys(rows: pl.DataFrame, fields: list[Field], key: list[str]) -> pl.Series:
    """The key of each row as its letter would spell it."""
    shown = [field for field in fields if field.name in key] or fields
    texts = rows.select(as_text(rows, field) for field in shown)
    return texts.select(pl.struct(texts.columns).struct.json_encode()).to_series()


def _unrepresentable(
    read: pl.DataFrame, converted: pl.DataFrame, fields: list[Field]
) -> Iterator[Violation]:
    for item in fields:
        rows = unconverted(read, converted, item)
        if rows is not None:
            yield Violation("unrepresentable", (item.name,), rows)


def _broken_rules(
    chunk: pl.DataFrame, rules: list[RowRule], unrepresentable: dict[str, Violation]
) -> Iterator[Violation]:
    for rule in rules:
        rows = rule.broken(chunk)
        if rule.name == "not_null" and (unfit := unrepresentable.get(rule.columns[0])):
            rows = rows & ~unfit.rows
        if rows.any():
            yield Violation(rule.name, rule.columns, rows)


def _letters(
    read: pl.DataFrame, violation: Violation, fields: list[Field], key: list[str]
) -> pl.DataFrame:
    spelled = [as_text(read, item) for item in fields]
    rows = read.filter(violation.rows).select(spelled)
    return rows.select(
        pl.struct(key or rows.columns).struct.json_encode().alias("row_key"),
        pl.lit(violation.rule).alias("rule"),
        pl.lit(violation.column).alias("column_name"),
        violation.value.alias("value"),
        pl.struct(rows.columns).struct.json_encode().alias("record"),
    )


def _refusal(
    read: pl.DataFrame, violation: Violation, fields: list[Field], table: Table
) -> PermanentError:
    item = next(item for item in fields if item.name == violation.column)
    found = read.filter(violation.rows).select(as_text(read, item)).to_series()
    return PermanentError(
        f"{len(found)} values of {violation.column} don't fit {item.type},"
        f" for example {', '.join(found.head(5).to_list())}.",
        remedy='Correct them, or set unrepresentable to dead_letter or "null".',
        table=table.name,
    )
