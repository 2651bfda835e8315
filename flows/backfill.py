"""A range, partitions or a whole table copied anew, in slices that are published one by one.

`python flows/backfill.py --table orders --from 2026-01-01 --to 2026-02-01` does it here and now.
Killed or failed, the same command goes on where it ended.
"""

import sys

if __name__ == "__main__":  # before the other imports, which take seconds
    from tasks.interruption import leave_at_once

    leave_at_once()

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.extract_load import prepare
from tasks.attempt import Outcome
from tasks.backfill import Backfill, attempt_of, plan_backfill, record_plan
from tasks.backfill_command import main
from tasks.command import DEMO
from tasks.config import Config, load_config
from tasks.connect import open_source, open_warehouse
from tasks.errors import TransientError
from tasks.logs import log
from tasks.notify import tell
from tasks.plan import check_copied, chosen, plan
from tasks.publish import publish
from tasks.retry import JITTER, delays, is_transient, server_errors
from tasks.transfer.backfill import Asked, Piece
from tasks.turns import turn

#: How often a slice is read again at once because another run has published the table meanwhile.
RACES = 5


@flow(name="backfill", persist_result=False, on_failure=[tell], on_crashed=[tell])
def backfill(
    table: str,
    config: str = str(DEMO),
    start: str | None = None,
    end: str | None = None,
    partitions: list[str] | None = None,
    slices: int | None = None,
    dry_run: bool = False,
) -> None:
    """Reads a part of a table again, and publishes it slice by slice; its watermark stays.

    Args:
        table: Its name in the configuration.
        config: Path of the configuration file, from the project's folder.
        start: First value of the cursor, or of the column of the partitions, to fill.
        end: Where the range ends; itself it is not filled.
        partitions: The partitions to fill; without these and a range, the whole table is.
        slices: How many to cut it into; about a million rows are in each else.
        dry_run: Say what there is to do, and do nothing.
    """
    settings = load_config(Path(config))
    [one] = chosen(settings, [table])
    check_copied(settings, [one])
    asked = Asked(start, end, tuple(partitions or ()))
    planned = plan_backfill(settings, one, asked, slices)
    print("\n".join(planned.told()))
    if dry_run:
        return
    if not planned.is_begun:
        with open_warehouse(settings, run=planned.id, table=table) as warehouse:
            record_plan(warehouse, planned)
    defaults = settings.defaults
    filled = fill.with_options(retries=defaults.retries, retry_delay_seconds=delays(defaults))
    for number, piece in enumerate(planned.left, planned.slices - len(planned.left) + 1):
        outcome = filled(piece.name, piece, planned, settings)
        rows = f"{outcome.rows_published:,}"
        log.info("%s: slice %s of %s published, %s rows", table, number, planned.slices, rows)


@task(
    name="fill",
    task_run_name="fill {name}",
    retry_condition_fn=is_transient,
    retry_jitter_factor=JITTER,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def fill(name: str, piece: Piece, planned: Backfill, settings: Config) -> Outcome:
    """Publishes one slice, on a snapshot of its own and on the table's newest version.

    Raises:
        TransientError: When other runs have published the table first, again and again.
    """
    for _ in range(RACES):
        with server_errors():
            outcome = _filled(piece, planned, settings)
        if outcome.outcome == "published":
            return outcome
        log.info("%s: slice %s is read again on the newest version", planned.table.name, name)
    raise TransientError(
        f"Other runs have published it {RACES} times while slice {name} was read.",
        remedy="Run the backfill again; it goes on with this slice.",
        table=planned.table.name,
    )


def _filled(piece: Piece, planned: Backfill, settings: Config) -> Outcome:
    table = planned.table
    with (
        turn(settings, table),
        plan(settings, [table]) as instant,
        open_warehouse(settings, run=planned.id, table=table.name) as warehouse,
    ):
        attempt = attempt_of(settings, warehouse, planned, piece, instant)
        prepared = prepare(settings, open_source(settings), warehouse, attempt)
        [outcome] = publish(warehouse, [prepared])
        return outcome


if __name__ == "__main__":
    sys.exit(main(backfill))
