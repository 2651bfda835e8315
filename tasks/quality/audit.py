"""The judgements before a publish: do the counts agree, is the batch fit to be seen?"""

from collections.abc import Mapping

from tasks.errors import BreakerTripped, PermanentError
from tasks.table import Breaker

# A share of fewer rows than this says nothing.
FEWEST_ROWS = 100


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


def check_breaker(
    table: str, breaker: Breaker, read: int, dead: int, nulls: Mapping[str, int]
) -> None:
    """Holds a batch against its breaker's ratios, from `FEWEST_ROWS` rows up.

    Raises:
        BreakerTripped: Naming the ratio, its value and its limit.
    """
    if read < FEWEST_ROWS:
        return
    if dead / read > breaker.max_dead_letter_ratio:
        raise BreakerTripped(
            f"{dead:,} of {read:,} rows broke a rule ({dead / read:.2%}), more than"
            f" max_dead_letter_ratio {breaker.max_dead_letter_ratio:.2%}.",
            remedy="Correct the rows in the source, or the table's rules; nothing was published.",
            table=table,
        )
    for column, limit in breaker.null_ratios(list(nulls)).items():
        if nulls[column] / read > limit:
            raise BreakerTripped(
                f"{column} is NULL in {nulls[column]:,} of {read:,} rows"
                f" ({nulls[column] / read:.2%}), more than max_null_ratio {limit:.2%}.",
                remedy="Find out why the source lost it; nothing was published.",
                table=table,
            )


def check_shrink(table: str, breaker: Breaker, before: int, after: int) -> None:
    """Refuses a replacement that loses too many of the rows the warehouse holds.

    Raises:
        BreakerTripped: With both counts.
    """
    if before and (before - after) / before > breaker.max_shrink_ratio:
        raise BreakerTripped(
            f"The source has {after:,} rows and the warehouse {before:,}, which is more than"
            f" max_shrink_ratio {breaker.max_shrink_ratio:.0%} fewer.",
            remedy="If that is right, raise breaker.max_shrink_ratio for one run.",
            table=table,
        )
