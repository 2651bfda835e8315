"""The task that loads staging files into staging tables and audits them."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt, Prepared
from tasks.quality.audit import check_breaker, check_counts, check_shrink
from tasks.transfer.extract import Extract
from tasks.warehouse.base import Staged, Warehouse


@task(name="load", cache_policy=NO_CACHE, persist_result=False)
def load(warehouse: Warehouse, attempt: Attempt, extracted: Extract) -> Prepared:
    """Stages and audits what was extracted.

    Raises:
        PermanentError: When rows were lost on the way.
        BreakerTripped: When the batch is too bad to publish.
    """
    table, staged = attempt.table, stage(warehouse, attempt, extracted)
    if extracted.replaced is None:
        check_shrink(table.name, table.breaker, warehouse.rows(table.target), staged.rows)
    return Prepared(attempt, extracted, staged)


def stage(warehouse: Warehouse, attempt: Attempt, extracted: Extract) -> Staged:
    """Stages a batch that is good enough; the result knows its rows. Raises as `load` does."""
    table, name = attempt.table, attempt.table.name
    check_breaker(name, table.breaker, extracted.rows_read, extracted.rows_dead, extracted.nulls)
    staged = warehouse.stage(attempt.staged, extracted.files, extracted.letters)
    check_counts(name, extracted.rows_read, extracted.rows_dead, staged.rows)
    return staged
