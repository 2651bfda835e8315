"""The subflow that copies one table: read and screen, stage and audit, publish."""

from pathlib import Path

from prefect import flow

from tasks.attempt import Attempt, Outcome, Prepared, outcome_of
from tasks.compare import compare
from tasks.config import Config, load_config
from tasks.connect import limits, open_source, open_warehouse
from tasks.dead_letters import sought, store_letters
from tasks.extract import extract
from tasks.lineage import Lineage
from tasks.load import audit, load
from tasks.plan import chosen, relations
from tasks.publish import given_way, publish, recorded, refusal_recorded
from tasks.source.connection import Source
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import make_contract
from tasks.turns import turn
from tasks.warehouse.base import State, Warehouse


@flow(name="extract-load", flow_run_name="extract-load {table}", persist_result=False)
def extract_load(
    table: str,
    config: str,
    run_id: str,
    snapshot: Snapshot,
    state: State,
    full_refresh: bool = False,
    partitions: list[str] | None = None,
    forced: bool = False,
    replay: bool = False,
) -> Outcome | Prepared:
    """Copies one table; where tables are published together, up to its publish.

    Args:
        table: Its name in the configuration.
        config: Path of the configuration file.
        run_id: The daily run it belongs to; what that run has published is not read again.
        snapshot: The run's instant of the source.
        state: How far the copy was before the snapshot was taken.
        full_refresh: Read the whole table whatever its mode.
        partitions: Rewrite these and no others.
        forced: Publish whatever its breaker says.
        replay: Read the rows of its open dead letters, and nothing else.
    """
    settings = load_config(Path(config))
    [table_settings] = chosen(settings, [table])
    source = open_source(settings)
    with (
        turn(settings, table_settings) as waited,
        open_warehouse(settings, run=run_id, table=table) as warehouse,
    ):
        done = warehouse.published(run_id, table_settings.target)
        if done is not None:
            return outcome_of(done, table_settings)
        with refusal_recorded(warehouse, run_id, table_settings):
            with source.connect() as session:
                relation = relations(settings, [table_settings], session)[table]
            contract = make_contract(table_settings, relation, limits(settings))
            attempt = Attempt(
                table=table_settings,
                run_id=run_id,
                contract=contract,
                snapshot=snapshot,
                state=state,
                full_refresh=full_refresh,
                partitions=partitions or [],
                copied=warehouse.rows(table_settings.target),
                usual=warehouse.usual_rows(table_settings.target),
                sought=sought(warehouse, contract) if replay else None,
                forced=forced,
            )
            if waited and (outcome := given_way(warehouse, attempt)):
                return outcome
        return _copy(settings, source, warehouse, attempt)


def _copy(
    config: Config, source: Source, warehouse: Warehouse, attempt: Attempt
) -> Outcome | Prepared:
    lineage = Lineage(config, warehouse)
    with lineage.of([attempt]):
        lineage.started(attempt)
        prepared = prepare(config, source, warehouse, attempt)
        if config.publish == "together":
            return prepared
        outcomes = publish(warehouse, [prepared])
    lineage.ended([prepared], outcomes)
    return outcomes[0]


def prepare(config: Config, source: Source, warehouse: Warehouse, attempt: Attempt) -> Prepared:
    """Reads and screens, stages and audits what an attempt is to publish."""
    files = attempt.staging_files(warehouse, config.warehouse.file_size)
    with recorded(warehouse, [attempt]), files.open():
        extracted = extract(source, attempt, config.source.streams, files)
        prepared = load(warehouse, attempt, extracted)
        if prepared.is_compared:
            prepared = compare(source, warehouse, prepared, config.source.streams, files)
        audit(warehouse, prepared)
        if config.dead_letters:
            store_letters(config.dead_letters, prepared, files)
    return prepared
