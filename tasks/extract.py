"""The task that reads a table from the source into staging files."""

from collections.abc import Iterator

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt
from tasks.logs import log
from tasks.progress import shown
from tasks.quality.audit import growth_breaches, ratio_breaches
from tasks.source.connection import Source
from tasks.transfer import extract as transfer
from tasks.transfer.files import StagingFiles


@task(name="extract", cache_policy=NO_CACHE, persist_result=False)
def extract(
    source: Source, attempt: Attempt, streams: int, staging: StagingFiles
) -> transfer.Extract:
    """Reads, screens and stages the rows of the attempt's bounds, and shows how far it is.

    Raises:
        BreakerTripped: As soon as it is certain that the batch will be too bad to publish.
    """

    def judge(extracted: transfer.Extract) -> None:
        if not attempt.forced:
            attempt.judge(_certain_breaches(attempt, extracted))

    with shown(attempt.table.name, attempt.expected) as reading:
        extracted = transfer.extract(
            source,
            attempt.snapshot,
            attempt.contract,
            attempt.bounds,
            streams,
            staging,
            reading.tell,
            judge,
        )
    log.info(
        "%s: %s rows read in %.1f s, %s rows/s",
        attempt.table.name,
        f"{extracted.rows_read:,}",
        extracted.seconds,
        f"{extracted.rows_read / max(extracted.seconds, 0.001):,.0f}",
    )
    return extracted


def _certain_breaches(attempt: Attempt, extracted: transfer.Extract) -> Iterator[str]:
    """What will be wrong with the batch whatever rows are still to come."""
    breaker, read, dead = attempt.table.breaker, extracted.rows_read, extracted.rows_dead
    if most := attempt.contract.relation.most_rows:
        nulls, samples = extracted.nulls, extracted.samples
        yield from ratio_breaches(breaker, read, dead, nulls, samples, most)
    if attempt.bounds.whole:
        yield from growth_breaches(breaker, attempt.copied, read - dead)
