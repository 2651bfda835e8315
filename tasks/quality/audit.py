"""The judgements before a publish: do the counts agree, is the batch fit to be seen?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tasks.errors import BreakerTripped, PermanentError
from tasks.table import Breaker

# A share of fewer rows than this says nothing.
FEWEST_ROWS = 100
#: How many keys a breach shows.
SAMPLES = 5
#: Stands for the dead letters where samples are kept by column.
DEAD = ""


def check_counts(table: str, read: int, dead: int, staged: int) -> None:
    """Every row read is staged or dead-lettered.

    Raises:
        PermanentError: When rows were lost or doubled between the source and staging.
    """
    if staged != read - dead:
        raise PermanentError(
            f"{read:,} rows were read and {dead:,} dead-lettered, but {staged:,} are staged.",
            remedy="Nothing was published. Report this with the run's log: rows must never differ.",
            table=table,
        )


def ratio_breaches(
    breaker: Breaker,
    read: int,
    dead: int,
    nulls: Mapping[str, int],
    samples: Mapping[str, Sequence[str]],
    most: int | None = None,
) -> Iterator[str]:
    """What is wrong with a batch by its breaker's ratios, judged from `FEWEST_ROWS` rows up.

    Args:
        nulls: NULLs a column.
        samples: Keys of rows with one, and of those that are `DEAD`, with a rule that each broke.
        most: While rows are still read, the most that can come to be; a breach is then certain.
    """
    if read < FEWEST_ROWS:
        return
    rows = most or read
    so_far = f" so far, and the table holds {most:,} at most" if most else ""
    if dead / rows > breaker.max_dead_letter_ratio:
        yield (
            f"{dead:,} of {read:,} rows broke a rule ({dead / read:.2%}), more than"
            f" max_dead_letter_ratio {breaker.max_dead_letter_ratio:.2%}{so_far}"
            f"{_such_as(samples, DEAD)}"
        )
    for column, limit in breaker.null_ratios(list(nulls)).items():
        count = nulls.get(column, 0)
        if count / rows > limit:
            yield (
                f"{column} is NULL in {count:,} of {read:,} rows"
                f" ({count / read:.2%}), more than max_null_ratio {limit:.2%}{so_far}"
                f"{_such_as(samples, column)}"
            )


def growth_breaches(breaker: Breaker, before: int, after: int) -> Iterator[str]:
    """What is wrong with the number of rows that a copy would have, if it gains too many."""
    limit = breaker.max_growth_ratio
    if limit is not None and before and (after - before) / before > limit:
        yield (
            f"The copy would grow from {before:,} to {after:,} rows, by more than"
            f" max_growth_ratio {limit:.0%}"
        )


def shrink_breaches(breaker: Breaker, before: int, after: int) -> Iterator[str]:
    """What is wrong with a replacement that loses too many of the rows that a copy holds."""
    if before and (before - after) / before > breaker.max_shrink_ratio:
        yield (
            f"The source has {after:,} rows and the warehouse {before:,}, which is more than"
            f" max_shrink_ratio {breaker.max_shrink_ratio:.0%} fewer"
        )


def loss_breaches(breaker: Breaker, before: int, after: int) -> Iterator[str]:
    """What is wrong with a replacement of parts that takes too many of the rows of a copy."""
    if before and (before - after) / before > breaker.max_shrink_ratio:
        yield (
            f"The copy would shrink from {before:,} to {after:,} rows, by more than"
            f" max_shrink_ratio {breaker.max_shrink_ratio:.0%}"
        )


def size_breaches(breaker: Breaker, rows: int) -> Iterator[str]:
    """What is wrong with the number of rows in a batch."""
    if breaker.min_rows is not None and rows < breaker.min_rows:
        yield f"The batch has {rows:,} rows, fewer than min_rows {breaker.min_rows:,}"


def check(table: str, breaches: Iterable[str]) -> None:
    """Stops a table that has a breach.

    Raises:
        BreakerTripped: With every breach.
    """
    if told := list(breaches):
        raise BreakerTripped(
            f"{'. '.join(told)}.",
            remedy="Nothing was published. Correct the source or the table's settings; if it is"
            f" right, publish it once with --force {table}.",
            table=table,
        )


def _such_as(samples: Mapping[str, Sequence[str]], name: str) -> str:
    return f", such as {', '.join(samples[name])}" if samples.get(name) else ""
