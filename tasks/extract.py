"""The task that reads a table from the source into staging files."""

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt
from tasks.logs import log
from tasks.source.connection import Source
from tasks.transfer import extract as transfer
from tasks.transfer.files import StagingFiles

PROGRESS_SECONDS = 2.0


@task(name="extract", cache_policy=NO_CACHE, persist_result=False)
def extract(
    source: Source, attempt: Attempt, streams: int, staging: StagingFiles
) -> transfer.Extract:
    """Reads, screens and stages the rows of the attempt's bounds, with a progress line."""
    said = time.monotonic()

    def progress(rows: int, seconds: float) -> None:
        nonlocal said
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            log.info("%s: %s rows read, %s rows/s", attempt.table.name, *_figures(rows, seconds))

    extracted = transfer.extract(
        source, attempt.snapshot, attempt.contract, attempt.bounds, streams, staging, progress
    )
    rows, rate = _figures(extracted.rows_read, extracted.seconds)
    log.info(
        "%s: %s rows read in %.1f s, %s rows/s", attempt.table.name, rows, extracted.seconds, rate
    )
    return extracted


def _figures(rows: int, seconds: float) -> tuple[str, str]:
    return f"{rows:,}", f"{rows / max(seconds, 0.001):,.0f}"
