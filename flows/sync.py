"""The copying of a run's tables: a subflow for each of them, and its retries."""

from typing import Any

from prefect import task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import ExternalSignal
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from flows.extract_load import extract_load
from tasks.attempt import Outcome, Prepared
from tasks.connect import open_warehouse
from tasks.errors import StaleSnapshot, TransientError
from tasks.heartbeat import no_heartbeat
from tasks.lineage import Lineage
from tasks.logs import log
from tasks.night import Night, Result, outdated
from tasks.plan import Plan, chosen, plan
from tasks.publish import publish, withhold
from tasks.retry import JITTER, delays, is_transient, server_errors
from tasks.source.read import interrupted
from tasks.workers import at_once, check_workers, copy_on_worker

#: In this process; how many workers copy at once is a setting.
TABLES_AT_ONCE = 4


def sync(night: Night) -> None:
    """Copies the tables and judges every one; the others go on when one fails.

    Where tables are published together, all are staged first, and on one snapshot.
    """
    with plan(night.settings, night.tables) as planned:
        results = staged(night, planned)
    settle(night, results)


def staged(night: Night, planned: Plan) -> dict[str, Result]:
    """What came of each table: published, or staged on one snapshot to be published together."""
    check_workers(night.settings, night.tables, extract_load)
    results = copy(night, planned, [table.name for table in night.tables])
    while behind := outdated(results):
        give_up(night, behind, "the snapshot was lost: read again on a new one")
        results |= copy(night, planned, [one.attempt.table.name for one in behind])
    return results


def settle(night: Night, results: dict[str, Result]) -> None:
    """Publishes what is published together, and judges every table."""
    night.settle(results)
    if night.prepared and night.failures:
        night.outcomes += give_up(night, night.prepared, "another table failed")
    elif night.prepared:
        night.outcomes += publish_together(night)
    night.check()


def give_up(night: Night, prepared: list[Prepared], why: str) -> list[Outcome]:
    """Ends attempts that may not be published."""
    with open_warehouse(night.settings, run=night.run_id) as warehouse:
        outcomes = withhold(warehouse, prepared, why)
        Lineage(night.settings, warehouse).ended(prepared, outcomes)
    return outcomes


def publish_together(night: Night) -> list[Outcome]:
    """Publishes all that was prepared."""
    with open_warehouse(night.settings, run=night.run_id) as warehouse:
        lineage = Lineage(night.settings, warehouse)
        with lineage.of([one.attempt for one in night.prepared]):
            outcomes = publish(warehouse, night.prepared)
        lineage.ended(night.prepared, outcomes)
    return outcomes


def copy(night: Night, planned: Plan, names: list[str]) -> dict[str, Result]:
    """Maps the subflow over the tables, and waits for all of them."""
    defaults, spread = night.settings.defaults, night.settings.execution == "workers"
    table = sync_table.with_options(retries=defaults.retries, retry_delay_seconds=delays(defaults))
    given = {"table": names, "night": unmapped(night), "planned": unmapped(planned)}
    threads = at_once(night.settings) if spread else TABLES_AT_ONCE
    with no_heartbeat(), ThreadPoolTaskRunner[Outcome | Prepared](max_workers=threads) as runner:
        runs = runner.map(table, given)
        try:
            wait(runs)
        except (KeyboardInterrupt, ExternalSignal):
            interrupted.set()  # else the runner would wait for every table to end
            raise
    ended = (run.state.result(raise_on_failure=False) for run in runs)
    return dict(zip(names, ended, strict=True))


@task(
    name="sync",
    task_run_name="sync {table}",
    retry_condition_fn=is_transient,
    retry_jitter_factor=JITTER,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def sync_table(table: str, night: Night, planned: Plan) -> Outcome | Prepared:
    """One table's subflow on the run's current snapshot; carries the retries a flow can't have."""
    snapshot, states = planned.current()
    order: dict[str, Any] = {
        "table": table,
        "config": night.config,
        "run_id": night.run_id,
        "snapshot": snapshot,
        "state": states[table],
        "full_refresh": night.full_refresh,
        "partitions": night.partitions,
        "forced": table in night.forced,
        "replay": night.replay,
    }
    try:
        with server_errors():
            if night.settings.execution == "workers":
                [settings] = chosen(night.settings, [table])
                return copy_on_worker(night.settings, settings, extract_load.name, order)
            copied: Outcome | Prepared = extract_load(**order)
            return copied
    except TransientError as error:
        log.warning("%s", error.about(table))
        if isinstance(error, StaleSnapshot):
            planned.discard(snapshot)
        raise
