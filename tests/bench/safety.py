"""`python -m tests.bench.safety`: what it costs a full refresh that no row is lost or doubled.

The same refresh with and without what guards it: the floor, the check that readers share the
snapshot, the lock and the comparison of shapes, the audit, and the state's version. In turns.
"""

import argparse
import time
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

from tasks.config import Config
from tasks.source.snapshot import Floor
from tests.bench.__main__ import HOME, orders
from tests.bench.runs import in_turns
from tests.bench.transfer import transfer

#: What stands in the place of each guard.
WITHOUT: dict[str, Any] = {
    "tasks.source.snapshot.note_floor": lambda _: Floor(clock=datetime.now(UTC)),
    "tasks.source.snapshot.Keeper._is_shared": lambda *_: True,
    "tasks.source.read.check_same_snapshot": lambda *_: None,
    "tasks.transfer.extract.guarded": lambda *_: nullcontext(),
    "tasks.load.check_counts": lambda *_: None,
    "tasks.load.audit.fn": lambda *_: None,
    "tasks.warehouse.ledger.Ledger.check_state": lambda *_: None,
}


def refresh(config: Config, without: dict[str, Any]) -> float:
    """Seconds of a full refresh into a fresh file."""
    config.warehouse.path.unlink(missing_ok=True)
    with ExitStack() as patches:
        for place, what in without.items():
            patches.enter_context(patch(place, what))
        started = time.perf_counter()
        transfer(config)
    return time.perf_counter() - started


def measure(rows: int, rounds: int) -> None:
    """Prints the medians of both, and of their ratios round by round."""
    url, table = orders(rows)
    config = Config.model_validate(
        {
            "source": {"url": url},
            "warehouse": {"path": HOME / "safety.duckdb"},
            "tables": [{"name": table}],
        }
    )
    refresh(config, {})
    bare, guarded, ratio = in_turns(
        rounds, partial(refresh, config, WITHOUT), partial(refresh, config, {})
    )
    print(f"{rows:,} rows, medians of {rounds} rounds")
    print(f"unguarded: {bare:.2f} s")
    print(f"guarded: {guarded:.2f} s, {ratio:.3f} times as long")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.safety")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measure(options.rows, options.rounds)


if __name__ == "__main__":
    main()
