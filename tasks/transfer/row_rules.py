"""The row rules of a table as expressions over its chunks.

They are made before anything is read, so that a rule which can't be is refused then. Values are
compared as values of their column's type.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import polars.selectors as cs

from tasks.errors import ConfigError, PermanentError
from tasks.table import Table
from tasks.transfer.conditions import Unusable, condition, said
from tasks.transfer.parse import parse
from tasks.transfer.types import INTEGERS, Field, Kind

NUMBERS = {*INTEGERS, Kind.DECIMAL, Kind.FLOAT32, Kind.FLOAT64}
RANGED = {*NUMBERS, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TIME}
TEXTS = {Kind.TEXT, Kind.UUID, Kind.JSON}
SPELL = "Write values of the column's type, as PostgreSQL spells them."


@dataclass(frozen=True)
class RowRule:
    """One rule: `met` says of a row of these columns, as `judged`, whether it meets it."""

    name: str
    columns: tuple[str, ...]
    met: pl.Expr

    def broken(self, chunk: pl.DataFrame) -> pl.Series:
        """Which rows of a converted chunk break the rule; where `met` is NULL, none.

        Raises:
            PermanentError: When an expression can't be computed for one of them.
        """
        try:
            return ~judged(chunk.select(self.columns)).select(self.met.fill_null(True)).to_series()
        except pl.exceptions.PolarsError as error:
            raise PermanentError(
                f"rules.expression.{self.name} can't be computed: {said(error)}.",
                remedy="Write it so that it fits every row, such as with try_cast for cast.",
            ) from None


def judged(values: pl.DataFrame) -> pl.DataFrame:
    """Values as rules see them: integers with room to add up, instants as their time in UTC."""
    return values.with_columns(
        cs.integer().cast(pl.Int64), cs.datetime(time_zone="*").dt.replace_time_zone(None)
    )


def row_rules(table: Table, fields: list[Field]) -> list[RowRule]:
    """The rules of a table, all of whose columns are copied.

    Raises:
        ConfigError: Naming a rule that can't be, and what to write instead.
    """
    by_name = {field.name: field for field in fields}
    return [
        *(RowRule("not_null", (name,), ~pl.col(name).is_null()) for name in table.rules.not_null),
        *_accepted(table, by_name),
        *_ranges(table, by_name),
        *_regexes(table, by_name),
        *_lengths(table, by_name),
        *_expressions(table, fields),
    ]


def _accepted(table: Table, fields: dict[str, Field]) -> Iterator[RowRule]:
    for name, texts in table.rules.accepted.items():
        values = _values(table, f"rules.accepted.{name}", texts, fields[name])
        yield RowRule("accepted", (name,), pl.col(name).is_in(values.implode()))


def _ranges(table: Table, fields: dict[str, Field]) -> Iterator[RowRule]:
    for name, ends in table.rules.range.items():
        rule, field = f"rules.range.{name}", fields[name]
        if field.kind not in RANGED:
            raise _refused(
                table,
                f"{rule} needs a number, date or time, and it is a {field.kind}",
                "Write an expression instead, such as try_cast(... as double) >= 0.",
            )
        low, high = (
            None if text is None else _values(table, rule, [text], field).item()
            for text in (ends.min, ends.max)
        )
        yield RowRule("range", (name,), _between(table, rule, pl.col(name), low, high))


def _regexes(table: Table, fields: dict[str, Field]) -> Iterator[RowRule]:
    for name, pattern in table.rules.regex.items():
        rule, contains = f"rules.regex.{name}", pl.col(name).str.contains(pattern)
        _check_text(table, rule, fields[name])
        try:
            pl.DataFrame({name: [""]}).select(contains)
        except pl.exceptions.PolarsError as error:
            raise _refused(
                table,
                f"{rule} can't be read: {said(error)}",
                "Write a regular expression as Rust's regex knows them, without look-around.",
            ) from None
        yield RowRule("regex", (name,), contains)


def _lengths(table: Table, fields: dict[str, Field]) -> Iterator[RowRule]:
    for name, ends in table.rules.length.items():
        rule, length = f"rules.length.{name}", pl.col(name).str.len_chars()
        _check_text(table, rule, fields[name])
        yield RowRule("length", (name,), _between(table, rule, length, ends.min, ends.max))


def _expressions(table: Table, fields: list[Field]) -> Iterator[RowRule]:
    readable = [field for field in fields if field.mask is None]
    row = judged(pl.DataFrame([parse(pl.Series([None], dtype=pl.String), f) for f in readable]))
    for name, text in table.rules.expression.items():
        try:
            met, columns = condition(text, row)
        except Unusable as error:
            told = f"rules.expression.{name} {error}"
            raise _refused(table, told, error.remedy) from None
        yield RowRule(name, columns, met)


def _values(table: Table, rule: str, texts: list[str], field: Field) -> pl.Series:
    """Configured texts as values of a column, as `judged`."""
    values = parse(pl.Series(field.name, texts), field)
    if wrong := [text for text, none in zip(texts, values.is_null(), strict=True) if none]:
        raise _refused(table, f"{rule} lists {', '.join(wrong)}, and it is a {field.kind}", SPELL)
    return judged(values.to_frame()).to_series()


def _between(table: Table, rule: str, value: pl.Expr, low: Any, high: Any) -> pl.Expr:
    """Whether a value is from `low` to `high`, either of which may be missing."""
    if low is not None and high is not None and low > high:
        raise _refused(table, f"{rule} has a min of {low} and a max of {high}", "Swap them.")
    ends = [] if low is None else [value >= low]
    return pl.all_horizontal(ends if high is None else [*ends, value <= high])


def _check_text(table: Table, rule: str, field: Field) -> None:
    if field.kind not in TEXTS:
        told = f"{rule} needs a text, and it is a {field.kind}"
        raise _refused(table, told, "Write a range, or an expression with cast(... as text).")


def _refused(table: Table, told: str, remedy: str) -> ConfigError:
    return ConfigError(f"{told}.", remedy=remedy, table=table.name)
