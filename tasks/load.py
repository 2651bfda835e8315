"""The tasks that load staging files into staging tables, and audit what is to be published."""

from collections.abc import Iterator

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt, Prepared
from tasks.quality.audit import (
    check_counts,
    growth_breaches,
    loss_breaches,
    ratio_breaches,
    shrink_breaches,
    size_breaches,
)
from tasks.transfer.extract import Extract
from tasks.warehouse.base import Staged, Warehouse


@task(name="load", cache_policy=NO_CACHE, persist_result=False)
def load(warehouse: Warehouse, attempt: Attempt, extracted: Extract) -> Prepared:
    """Stages what was extracted.

    Raises:
        PermanentError: When rows were lost on the way.
        BreakerTripped: When the batch is too bad to publish.
    """
    return Prepared(attempt, extracted, stage(warehouse, attempt, extracted))


def stage(warehouse: Warehouse, attempt: Attempt, extracted: Extract) -> Staged:
    """Stages a batch that is good enough; the result knows its rows. Raises as `load` does."""
    table, read, dead = attempt.table, extracted.rows_read, extracted.rows_dead
    nulls, samples = extracted.nulls, extracted.samples
    attempt.judge(ratio_breaches(table.breaker, read, dead, nulls, samples))
    staged = warehouse.stage(attempt.staged, extracted.files, extracted.letters)
    check_counts(table.name, read, dead, staged.rows)
    return staged


@task(name="audit", cache_policy=NO_CACHE, persist_result=False)
def audit(warehouse: Warehouse, prepared: Prepared) -> None:
    """Judges the number of rows in the batch, and of those that the copy would have.

    Raises:
        BreakerTripped: When they are too few or too many.
    """
    prepared.attempt.judge(_breaches(warehouse, prepared))


def _breaches(warehouse: Warehouse, prepared: Prepared) -> Iterator[str]:
    attempt, parts = prepared.attempt, prepared.extracted.replaced
    breaker, before = attempt.table.breaker, attempt.copied
    rows, deleted = prepared.staged.rows, prepared.staged.deleted or 0
    if not attempt.sought:  # a slice or a few rows are no batch of a night
        yield from size_breaches(breaker, rows)
    if parts is None:
        yield from shrink_breaches(breaker, before, rows)
        yield from growth_breaches(breaker, before, rows)
    elif parts or breaker.max_growth_ratio is not None:
        after = before - warehouse.replaced(prepared.publication()) - deleted + rows
        if not (attempt.sought or attempt.bounds.asked):
            yield from loss_breaches(breaker, before, after)
        yield from growth_breaches(breaker, before, after)
