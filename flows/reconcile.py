"""Proves that copies equal their source, or says where not; mends just that when told to.

`python flows/reconcile.py` does it here and now; a deployment does it every week.
"""

import sys

if __name__ == "__main__":  # before the other imports, which take seconds
    from tasks.interruption import leave_at_once

    leave_at_once()

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from prefect import State, flow
from prefect.runtime import flow_run

from flows.extract_load import prepare
from flows.sync import settle, staged
from tasks.command import DEMO
from tasks.config import load_config
from tasks.connect import open_source, open_warehouse
from tasks.errors import DaybreakError, SyncFailed
from tasks.late import superseded
from tasks.night import Night
from tasks.notify import tell
from tasks.plan import Plan, check_copied, chosen, plan
from tasks.publish import publish
from tasks.reconcile import (
    Reconciled,
    check_published,
    compare_rows,
    repair_of,
)
from tasks.reconcile_command import main
from tasks.reconcile_report import judge, report
from tasks.table import Table


@flow(name="reconcile", persist_result=False, on_failure=[tell], on_crashed=[tell])
def reconcile(
    config: str = str(DEMO), tables: list[str] | None = None, repair: bool = False
) -> State[None] | None:
    """Syncs tables that were copied before, and compares every row at that snapshot.

    Args:
        config: Path of the configuration file, from the project's folder.
        tables: Names of the tables; all of them when empty.
        repair: Publish the rows that differ.

    Raises:
        CopyDiffers: Naming what differs and was not repaired.
        SyncFailed: When a table could not be synced or compared.
    """
    if ended := superseded():
        return ended
    settings = load_config(Path(config))
    night = Night(
        run_id=str(flow_run.id),
        config=config,
        settings=settings,
        tables=chosen(settings, tables),
        full_refresh=False,
    )
    check_copied(settings, night.tables)
    found: list[Reconciled] = []
    with plan(settings, night.tables) as planned:
        with suppress(SyncFailed):  # told at the end, with the tables that can't be compared
            settle(night, staged(night, planned))
        for table in night.tables:
            if table.name not in night.failures:
                try:
                    found.append(_reconciled(night, planned, table, repair))
                except DaybreakError as error:
                    night.failures[table.name] = str(error.about(table.name))
    report(found)
    judge(night, found)
    return None


def _reconciled(night: Night, planned: Plan, table: Table, repair: bool) -> Reconciled:
    settings, source = night.settings, open_source(night.settings)
    snapshot, states = planned.current()
    with open_warehouse(settings, run=night.run_id, table=table.name) as warehouse:
        given = (warehouse, night.run_id, table, snapshot, states[table.name])
        state = check_published(*given)
        found = compare_rows(settings, source, warehouse, table.name, snapshot)
        check_published(*given)
        if repair and found.differences:
            attempt = repair_of(found, night.run_id, state)
            [outcome] = publish(warehouse, [prepare(settings, source, warehouse, attempt)])
            found = replace(found, repaired=outcome.outcome == "published")
        warehouse.add("reconcile_results", [found.record(night.run_id, table.target)])
        return found


if __name__ == "__main__":
    sys.exit(main(reconcile))
