"""The task that compares the copy's keys with the source's: deleted rows go, missing ones come."""

from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Prepared
from tasks.load import stage
from tasks.logs import log
from tasks.quality.audit import shrink_breaches
from tasks.source.connection import Source
from tasks.source.read import guarded
from tasks.transfer.compare import SourceKeys, differing
from tasks.transfer.files import StagingFiles
from tasks.warehouse.base import Warehouse


@task(name="compare", cache_policy=NO_CACHE, persist_result=False)
def compare(
    source: Source, warehouse: Warehouse, prepared: Prepared, streams: int, staging: StagingFiles
) -> Prepared:
    """Stages the keys of deleted rows, and the rows that the copy would lack.

    Raises:
        BreakerTripped: When too many rows were deleted.
        StaleSnapshot: When the table was rewritten after the snapshot.
    """
    attempt, contract, staged = prepared.attempt, prepared.attempt.contract, prepared.staged
    name, snapshot = attempt.table.name, attempt.snapshot
    keys = SourceKeys(source, snapshot, contract, streams)
    copied = warehouse.comparison(staged, contract.key_fields)
    with guarded(source, snapshot, name, contract.relation):
        buckets = [*attempt.buckets] or differing(keys.digests(), copied.digests())
        if not buckets:
            return prepared
        keys.stage_hashes(buckets, staging)
        warehouse.stage_keys(staged, contract.key_fields, staging.keys)
        missing = copied.find(buckets)
        deleted = copied.deleted()
        before = attempt.copied
        attempt.judge(shrink_breaches(attempt.table.breaker, before, before - deleted))
        more = keys.read_rows(missing, staging) if missing else None
    log.info("%s: %s rows deleted, %s missing", name, f"{deleted:,}", f"{len(missing):,}")
    staged = replace(staged, deleted=deleted)
    if more is None:
        return replace(prepared, staged=staged)
    added = stage(warehouse, attempt, more)
    return replace(
        prepared,
        extracted=prepared.extracted.with_more(more),
        staged=replace(staged, rows=staged.rows + added.rows),
    )
