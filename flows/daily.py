"""The night: copy every table, build the models, judge the result.

`python flows/daily.py` runs it here and now; a deployment runs it on a schedule.
"""

import sys
from pathlib import Path
from typing import Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.extract_load import extract_load
from flows.quality import PASSED, quality
from flows.transform import transform
from tasks.attempt import Outcome
from tasks.command import DEMO, main
from tasks.config import Config, Table, load_config
from tasks.errors import DaybreakError, StaleSnapshot, SyncFailed, TransientError
from tasks.logs import log
from tasks.plan import chosen, plan
from tasks.report import Night, report
from tasks.retry import JITTER, delays, is_transient
from tasks.source.snapshot import Keeper

TABLES_AT_ONCE = 4
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=TABLES_AT_ONCE)


@flow(
    name="daily",
    task_runner=RUNNER,
    persist_result=False,
)
def daily(
    config: str = str(DEMO),
    tables: list[str] | None = None,
    full_refresh: bool = False,
    skip_dbt: bool = False,
    skip_quality: bool = False,
) -> None:
    """Copies the tables, builds the dbt models and fails when the data is wrong.

    Args:
        config: Path of the configuration file, from the project's folder.
        tables: Names of the tables to copy; all of them when empty.
        full_refresh: Read whole tables and rebuild incremental models from nothing.
        skip_dbt: Leave the models as they are.
        skip_quality: Don't measure.
    """
    settings = load_config(Path(config))
    night = Night(run_id=str(flow_run.id))
    try:
        sync(night, settings, config, chosen(settings, tables), full_refresh)
        if not skip_dbt:
            night.built = transform(config, full_refresh)
        if not skip_quality:
            quality(config, night.run_id)
            night.verdict = PASSED
    finally:
        report(night)


def sync(
    night: Night, settings: Config, config: str, tables: list[Table], full_refresh: bool
) -> None:
    """Maps the subflow over the tables and judges every one; the others go on when one fails."""
    with plan(settings, tables) as keeper:
        runs = sync_table.with_options(
            retries=settings.defaults.retries, retry_delay_seconds=delays(settings.defaults)
        ).map(
            [table.name for table in tables],
            keeper=unmapped(keeper),
            config=unmapped(config),
            run_id=unmapped(night.run_id),
            full_refresh=unmapped(full_refresh),
        )
        wait(runs)
    for table, run in zip(tables, runs, strict=True):
        result = run.state.result(raise_on_failure=False)
        if isinstance(result, Outcome):
            night.outcomes.append(result)
        elif isinstance(result, DaybreakError):
            night.failures[table.name] = str(result.about(table.name))
        else:
            night.failures[table.name] = f"{table.name}: {result!r}"
    if night.failures:
        raise SyncFailed(
            f"{len(night.failures)} of {len(tables)} tables were not published:\n  "
            + "\n  ".join(night.failures.values()),
            remedy="\nThe other tables are published; dbt did not run.",
        )


@task(
    name="sync",
    task_run_name="sync {table}",
    retry_condition_fn=is_transient,
    retry_jitter_factor=JITTER,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def sync_table(table: str, keeper: Keeper, config: str, run_id: str, full_refresh: bool) -> Outcome:
    """One table's subflow on the run's current snapshot; carries the retries a flow can't have."""
    snapshot = keeper.current()
    try:
        return extract_load(table, config, run_id, snapshot, full_refresh)
    except TransientError as error:
        log.warning("%s", error.about(table))
        if isinstance(error, StaleSnapshot):
            keeper.discard(snapshot)
        raise


if __name__ == "__main__":
    sys.exit(main(daily))
