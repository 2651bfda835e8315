"""The subflow that copies one table: read and screen, stage and audit, publish."""

from contextlib import suppress
from pathlib import Path

from prefect import flow

from tasks.attempt import Attempt, Outcome, outcome_of
from tasks.config import Config, load_config
from tasks.connect import open_source, open_warehouse
from tasks.errors import DaybreakError
from tasks.extract import extract
from tasks.load import load
from tasks.plan import chosen, relations
from tasks.publish import publish
from tasks.source.connection import Source
from tasks.source.snapshot import Snapshot
from tasks.transfer.extract import make_contract
from tasks.warehouse.base import Warehouse


@flow(name="extract-load", flow_run_name="extract-load {table}", persist_result=False)
def extract_load(
    table: str, config: str, run_id: str, snapshot: Snapshot, full_refresh: bool = False
) -> Outcome:
    """Copies one table.

    Args:
        table: Its name in the configuration.
        config: Path of the configuration file.
        run_id: The daily run it belongs to; what that run has published is not read again.
        snapshot: The run's instant of the source.
        full_refresh: Read the whole table whatever its mode.
    """
    settings = load_config(Path(config))
    [table_settings] = chosen(settings, [table])
    source = open_source(settings)
    with open_warehouse(settings, run=run_id, table=table) as warehouse:
        done = warehouse.published(run_id, table_settings.target)
        if done is not None:
            return outcome_of(done, table_settings)
        with source.connect() as session:
            relation = relations(settings, [table_settings], session)[table]
        attempt = Attempt(
            table=table_settings,
            run_id=run_id,
            contract=make_contract(table_settings, relation),
            snapshot=snapshot,
            state=warehouse.state(table_settings.target),
            full_refresh=full_refresh,
        )
        return _copy(settings, source, warehouse, attempt)


def _copy(config: Config, source: Source, warehouse: Warehouse, attempt: Attempt) -> Outcome:
    files = attempt.staging_files(warehouse, config.warehouse.file_size)
    try:
        with files.open():
            extracted = extract(source, attempt, config.source.streams, files)
            staged = load(warehouse, attempt, extracted)
        return publish(warehouse, attempt, extracted, staged)
    except BaseException as error:
        # The first failure is the one to tell of, even if the warehouse is what failed.
        with suppress(DaybreakError):
            warehouse.record(attempt.record("failed", error=str(error)))
        raise
    finally:
        with suppress(DaybreakError):
            warehouse.discard(attempt.staged)
