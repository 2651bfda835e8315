"""The task that writes dead-letter files, before anything is published."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Prepared
from tasks.config import DeadLetters
from tasks.logs import log
from tasks.transfer.dead_letters import Origin, store
from tasks.transfer.files import StagingFiles


@task(name="store dead letters", cache_policy=NO_CACHE, persist_result=False)
def store_letters(settings: DeadLetters, prepared: Prepared, staging: StagingFiles) -> None:
    """Writes the attempt's dead letters to a file, where there are any.

    Raises:
        TransientError: When the store can't be reached.
        PermanentError: When it refuses the file.
    """
    if not staging.letters:
        return
    staged = prepared.staged
    origin = Origin(staged.table, staged.run_id, staged.attempt, staged.synced_at)
    target = store(settings.path, origin, staging.letters)
    log.info("%s: dead letters written to %s", prepared.attempt.table.name, target)
