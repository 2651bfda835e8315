"""Dead letters tried again: what passes now is published, and what left the source is closed.

`python flows/replay_dead_letters.py` does it here and now, once rows or rules were corrected.
"""

import sys

if __name__ == "__main__":  # before the other imports, which take seconds
    from tasks.interruption import leave_at_once

    leave_at_once()

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from flows.sync import sync
from tasks.command import DEMO
from tasks.config import load_config
from tasks.dead_letters import with_letters
from tasks.logs import log
from tasks.night import Night
from tasks.notify import tell
from tasks.plan import chosen
from tasks.replay_command import main
from tasks.report import report


@flow(
    name="replay-dead-letters",
    persist_result=False,
    on_failure=[tell],
    on_crashed=[tell],
)
def replay_dead_letters(config: str = str(DEMO), tables: list[str] | None = None) -> None:
    """Reads the rows of open dead letters again, and publishes those that meet every rule now.

    Watermarks stay as they are. The letters of rows that still break a rule stay open.

    Args:
        config: Path of the configuration file, from the project's folder.
        tables: Names of the tables whose letters are tried; all of them when empty.
    """
    settings = load_config(Path(config))
    night = Night(
        run_id=str(flow_run.id),
        config=config,
        settings=settings,
        tables=with_letters(settings, chosen(settings, tables)),
        full_refresh=False,
        replay=True,
    )
    if not night.tables:
        log.info("no dead letter is open")
        return
    try:
        sync(night)
    finally:
        report(night)


if __name__ == "__main__":
    sys.exit(main(replay_dead_letters))
