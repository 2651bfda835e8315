"""Turns the checks of one relation into a single scan, and its row into measurements."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.config import Check

Quote = Callable[[str], str]


@dataclass(frozen=True)
class Threshold:
    """What is expected of a value, in words and as bounds that still meet it."""

    words: str
    at_least: float | None = None
    at_most: float | None = None
    #: Whether having nothing to measure breaches it too.
    needs_value: bool = False

    def breached(self, value: float | None) -> bool:
        if value is None:
            return self.needs_value
        below = self.at_least is not None and value < self.at_least
        return below or (self.at_most is not None and value > self.at_most)


@dataclass(frozen=True)
class Measurement:
    """One measured value beside its threshold; `value` is None where nothing could be measured."""

    relation: str
    check: str
    value: float | None
    threshold: Threshold

    @property
    def breached(self) -> bool:
        return self.threshold.breached(self.value)


@dataclass(frozen=True)
class Probe:
    """One aggregate of the scan and what is expected of its value."""

    check: str
    expression: str
    threshold: Threshold


def scan(check: Check, now: datetime, quote: Quote) -> tuple[str, list[Probe]]:
    """The statement that measures everything about a relation at once, and its probes in order.

    Args:
        now: The instant that ages are measured from, with a time zone.
        quote: The warehouse's quoting of an identifier.
    """
    relation = ".".join(quote(part) for part in check.relation.split("."))
    probes = [_rows(check), *_unique(check, quote), *_nulls(check, quote)]
    probes += [*_age(check, now, quote), *_accepted(check, quote)]
    return f"select {', '.join(probe.expression for probe in probes)} from {relation}", probes


def judge(check: Check, probes: list[Probe], row: tuple[Any, ...]) -> list[Measurement]:
    """The scan's row as measurements."""
    values = [None if value is None else float(value) for value in row]
    return [
        Measurement(check.relation, probe.check, value, probe.threshold)
        for probe, value in zip(probes, values, strict=True)
    ]


def offending(check: Check, name: str, rows: int) -> Measurement:
    """A custom query's number of rows as a measurement; any row is a breach."""
    return Measurement(check.relation, f"sql {name}", rows, Threshold("no row", at_most=0))


def _rows(check: Check) -> Probe:
    fewest, most = check.min_rows or 0, check.max_rows
    words = f"at least {fewest}" + (f", at most {most}" if most is not None else "")
    return Probe("rows", "count(*)", Threshold(words, fewest, most, needs_value=True))


def _unique(check: Check, quote: Quote) -> list[Probe]:
    if not check.unique:
        return []
    columns = [quote(column) for column in check.unique]
    distinct = columns[0] if len(columns) == 1 else " || ".join(map(_delimited, columns))
    present = " and ".join(f"{column} is not null" for column in columns)
    doubled = (
        f"count(case when {present} then 1 end)"
        f" - count(distinct case when {present} then {distinct} end)"
    )
    return [Probe(f"unique {', '.join(check.unique)}", doubled, Threshold("0 doubled", at_most=0))]


def _delimited(column: str) -> str:
    """A column's text behind its length: joined with others, it means these values only."""
    text = f"cast({column} as varchar)"
    return f"cast(length({text}) as varchar) || ':' || {text}"


def _nulls(check: Check, quote: Quote) -> list[Probe]:
    return [
        Probe(
            f"null ratio {column}",
            f"(count(*) - count({quote(column)})) / nullif(cast(count(*) as double), 0)",
            Threshold(f"at most {ratio:g}", at_most=ratio),
        )
        for column, ratio in check.max_null_ratio.items()
    ]


def _age(check: Check, now: datetime, quote: Quote) -> list[Probe]:
    if check.max_age is None:
        return []
    column, hours = check.max_age.column, check.max_age.hours
    newest = f"max(cast({quote(column)} as timestamptz))"
    age = f"({now.timestamp()} - date_part('epoch', {newest})) / 3600.0"
    threshold = Threshold(f"at most {hours:g} h", at_most=hours, needs_value=True)
    return [Probe(f"age {column}", age, threshold)]


def _accepted(check: Check, quote: Quote) -> list[Probe]:
    probes = []
    for column, values in check.accepted.items():
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        probes.append(
            Probe(
                f"accepted {column}",
                f"count(case when {quote(column)} not in ({listed}) then 1 end)",
                Threshold("0 other values", at_most=0),
            )
        )
    return probes
