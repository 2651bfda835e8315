"""The task that makes a staged table visible, in one transaction with its ledger rows."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt, Outcome, outcome_of
from tasks.logs import log
from tasks.transfer.extract import Extract
from tasks.warehouse.base import Staged, Warehouse


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(warehouse: Warehouse, attempt: Attempt, extracted: Extract, staged: Staged) -> Outcome:
    """Publishes the attempt; when another run was faster, says so and leaves its rows alone."""
    publication = attempt.publication(extracted, staged)
    if warehouse.publish(publication):
        log.info(
            "%s: %s rows published, %s dead letters",
            attempt.table.name,
            f"{staged.rows:,}",
            f"{extracted.rows_dead:,}",
        )
        return outcome_of(publication.record, attempt.table)
    record = attempt.record("superseded", extracted, staged)
    warehouse.record(record)
    log.info("%s: another run published it first, and its rows stand", attempt.table.name)
    return outcome_of(record, attempt.table)
