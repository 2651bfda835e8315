"""Dead letters of a run: kept in files before a publish, counted after it, and sought again."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Prepared
from tasks.config import Config, DeadLetters
from tasks.connect import open_warehouse
from tasks.logs import log
from tasks.table import Table
from tasks.transfer.contract import Contract
from tasks.transfer.dead_letters import Origin, store
from tasks.transfer.files import StagingFiles
from tasks.transfer.key_hash import COMPARABLE
from tasks.transfer.selection import Bounds
from tasks.transfer.sought import AMONG_ALL, by_keys, by_values
from tasks.warehouse.base import Warehouse


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


def with_letters(config: Config, tables: list[Table]) -> list[Table]:
    """Those of the tables that have open letters."""
    with open_warehouse(config, step="plan") as warehouse:
        warehouse.prepare()
        lettered = {each.table for each in warehouse.open_letters()}
    return [table for table in tables if table.target in lettered]


def sought(warehouse: Warehouse, contract: Contract) -> Bounds:
    """What to read to meet the rows of a table's open letters again."""
    table, key = contract.table, contract.key_fields
    column = table.partition_by or table.cursor
    if key and all(field.kind in COMPARABLE for field in key):
        return by_keys(key, warehouse.letter_hashes(table.target, key))
    if key:
        return AMONG_ALL
    if column:
        field = contract.field(column)
        return by_values(field, warehouse.letter_values(table.target, field))
    return Bounds(whole=True, letters=True)
