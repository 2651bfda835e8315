"""One run at a time at each table of a shared warehouse, by Prefect's concurrency limits.

It spares the second run its reading, where both report to one server. Who may publish is decided by
the versioned state alone.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from tasks.config import Config
from tasks.errors import TransientError
from tasks.logs import log
from tasks.table import Table

# A killed run keeps its turn as long; the server's API allows no less.
LEASE_SECONDS = 60
LATE_SECONDS = 3600


@contextmanager
def turn(config: Config, table: Table) -> Iterator[bool]:
    """Waits until no other run copies the table; the context says whether it had to.

    Raises:
        TransientError: When another has been copying it for `LATE_SECONDS`.
    """
    if config.warehouse.kind == "duckdb":  # whose file has one process
        yield False
        return
    name = f"daybreak {warehouse_name(config)} {config.warehouse.raw_schema}.{table.target}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
        waits = client.read_global_concurrency_limit_by_name(name).active_slots > 0
    if waits:
        log.info("%s: another run is copying it, and this one waits", table.name)
    with ExitStack() as held:
        if not taken(held, name, LATE_SECONDS):
            raise TransientError(
                f"Another run has been copying it for {LATE_SECONDS // 3600} h.",
                remedy="Look it up in Prefect, and cancel it if it hangs.",
                table=table.name,
            )
        yield waits


def warehouse_name(config: Config) -> str:
    """What limits call a shared warehouse."""
    warehouse = config.warehouse
    return warehouse.block or warehouse.database or os.environ.get("SNOWFLAKE_DATABASE", "")


def taken(held: ExitStack, name: str | list[str], seconds: float) -> bool:
    """Whether a place under the limits came free within the seconds; `held` gives it back."""
    turn = concurrency(name, timeout_seconds=seconds, lease_duration=LEASE_SECONDS)
    try:
        held.enter_context(turn)
    except TimeoutError:
        return False
    return True
