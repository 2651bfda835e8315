"""Splits a chunk into the rows that may be published and the dead letters, column at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from tasks.errors import ConfigError, PermanentError
from tasks.table import Table
from tasks.transfer.types import Field, as_text, convert, parse, unconverted

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
    `dead` is the number of rows held back and `coerced` counts values turned into NULL a column.
    """

    good: pl.DataFrame
    converted: pl.DataFrame
    letters: pl.DataFrame
    dead: int
    coerced: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Violation:
    rule: str
    column: str
    rows: pl.Series


def screen(read: pl.DataFrame, fields: list[Field], table: Table, key: list[str]) -> Screened:
    """Masks and converts a chunk, and holds back the rows that break a rule.

    Args:
        read: The chunk as the source sent it.
        key: Columns that identify a row in its letter; the whole row when empty.

    Raises:
        PermanentError: When a value has no place in its type and `unrepresentable` is `fail`.
    """
    read = read.with_columns(field.mask.apply(field.name) for field in fields if field.mask)
    converted = convert(read, fields)
    broken = list(_unrepresentable(read, converted, fields))
    coerced: dict[str, int] = {}
    if broken and table.unrepresentable == "null":
        held_back = [violation for violation in broken if violation.column in key]
        coerced = {each.column: int(each.rows.sum()) for each in broken if each.column not in key}
        broken = held_back
    if broken and table.unrepresentable == "fail":
        raise _refusal(read, broken[0], fields, table)
    unfit = {violation.column: violation for violation in broken}
    broken += _broken_rules(converted, fields, table, unfit)
    if not broken:
        return Screened(converted, converted, pl.DataFrame(schema=LETTER), 0, coerced)
    dead = pl.select(pl.any_horizontal([violation.rows for violation in broken])).to_series()
    letters = pl.concat([_letters(read, violation, fields, key) for violation in broken])
    return Screened(converted.filter(~dead), converted, letters, int(dead.sum()), coerced)


def check_accepted(table: Table, fields: list[Field]) -> None:
    """Refuses accepted values that their column can't hold.

    Raises:
        ConfigError: Naming the column, its type and the values.
    """
    for item in fields:
        values = pl.Series(table.rules.accepted.get(item.name, []), dtype=pl.String)
        if wrong := values.filter(parse(values, item).is_null()).to_list():
            raise ConfigError(
                f"rules.accepted.{item.name} lists {', '.join(wrong)}, and it is a {item.kind}.",
                remedy="Write values of the column's type, as PostgreSQL spells them.",
                table=table.name,
            )


def _unrepresentable(
    read: pl.DataFrame, converted: pl.DataFrame, fields: list[Field]
) -> Iterator[Violation]:
    for item in fields:
        rows = unconverted(read, converted, item)
        if rows is not None:
            yield Violation("unrepresentable", item.name, rows)


def _broken_rules(
    chunk: pl.DataFrame, fields: list[Field], table: Table, unrepresentable: dict[str, Violation]
) -> Iterator[Violation]:
    by_name = {item.name: item for item in fields}
    for name in table.rules.not_null:
        rows = chunk[name].is_null()
        if name in unrepresentable:
            rows = rows & ~unrepresentable[name].rows
        if rows.any():
            yield Violation("not_null", name, rows)
    for name, values in table.rules.accepted.items():
        column = chunk[name]
        accepted = parse(pl.Series(values), by_name[name])
        rows = column.is_not_null() & ~column.is_in(accepted.implode())
        if rows.any():
            yield Violation("accepted", name, rows)


def _letters(
    read: pl.DataFrame, violation: Violation, fields: list[Field], key: list[str]
) -> pl.DataFrame:
    spelled = [as_text(read, item) for item in fields]
    rows = read.filter(violation.rows).select(spelled)
    return rows.select(
        pl.struct(key or rows.columns).struct.json_encode().alias("row_key"),
        pl.lit(violation.rule).alias("rule"),
        pl.lit(violation.column).alias("column_name"),
        pl.col(violation.column).alias("value"),
        pl.struct(rows.columns).struct.json_encode().alias("record"),
    )


def _refusal(
    read: pl.DataFrame, violation: Violation, fields: list[Field], table: Table
) -> PermanentError:
    item = next(item for item in fields if item.name == violation.column)
    found = read.filter(violation.rows).select(as_text(read, item)).to_series()
    return PermanentError(
        f"{len(found)} values of {violation.column} don't fit {item.kind},"
        f" for example {', '.join(found.head(5).to_list())}.",
        remedy="Correct them, or set unrepresentable to dead_letter or null.",
        table=table.name,
    )
