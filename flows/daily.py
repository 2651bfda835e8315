"""The night: copy every table, build the models, judge the result.

`python flows/daily.py` runs it here and now; a deployment runs it on a schedule.
"""

import sys

if __name__ == "__main__":  # before the other imports, which take seconds
    from tasks.interruption import leave_at_once

    leave_at_once()

from pathlib import Path

from prefect import State, flow
from prefect.runtime import flow_run

from flows.quality import NOTHING, PASSED, quality
from flows.sync import sync
from flows.transform import transform
from tasks.command import DEMO, main
from tasks.config import load_config
from tasks.late import superseded
from tasks.night import Night
from tasks.notify import tell
from tasks.plan import chosen, forced
from tasks.report import report


@flow(
    name="daily",
    persist_result=False,
    on_failure=[tell],
    on_crashed=[tell],
)
def daily(
    config: str = str(DEMO),
    tables: list[str] | None = None,
    full_refresh: bool = False,
    partitions: list[str] | None = None,
    force: list[str] | None = None,
    skip_dbt: bool = False,
    skip_quality: bool = False,
) -> State[None] | None:
    """Copies the tables, builds the dbt models and fails when the data is wrong.

    Args:
        config: Path of the configuration file, from the project's folder.
        tables: Names of the tables to copy; all of them when empty.
        full_refresh: Read whole tables and rebuild incremental models from nothing.
        partitions: Rewrite these and no others, of tables with mode partition_overwrite.
        force: Names of tables to publish this once, whatever their breakers say.
        skip_dbt: Leave the models as they are.
        skip_quality: Don't measure.
    """
    if ended := superseded():
        return ended
    settings = load_config(Path(config))
    copied = chosen(settings, tables)
    night = Night(
        run_id=str(flow_run.id),
        config=config,
        settings=settings,
        tables=copied,
        full_refresh=full_refresh,
        partitions=partitions or [],
        forced=forced(copied, force or []),
    )
    try:
        sync(night)
        if not skip_dbt:
            night.built = transform(config, full_refresh)
        if not skip_quality:
            night.verdict = PASSED if quality(config, night.run_id) else NOTHING
    finally:
        report(night)
    return None


if __name__ == "__main__":
    sys.exit(main(daily))
