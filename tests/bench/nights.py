"""`python -m tests.bench.nights`: what an incremental night costs after the first one.

Seconds from the plan to the publish, the plan's own sessions and the keeper's included, on a table
whose cursor is indexed: with nothing to do, and with changed rows.
"""

import argparse
import time
from statistics import median

import psycopg

from tasks.attempt import Outcome
from tasks.config import Config
from tests.bench.__main__ import HOME, orders
from tests.bench.transfer import transfer

CHANGE = """
update {table} set status = 'changed', updated_at = clock_timestamp()
where order_id in (select 1 + (random() * {rows})::bigint from generate_series(1, {changed}))
"""


def timed(config: Config) -> tuple[Outcome, float]:
    started = time.perf_counter()
    outcome = transfer(config)
    return outcome, time.perf_counter() - started


def measure(rows: int, changed: int, rounds: int) -> None:
    """Prints the medians of an idle and of a busy night."""
    url, table = orders(rows, "incremental")
    file = HOME / "nights.duckdb"
    file.unlink(missing_ok=True)
    with psycopg.connect(url, autocommit=True) as source:
        source.execute(f"create index if not exists by_cursor on {table} (updated_at)".encode())
        config = Config.model_validate(
            {
                "source": {"url": url},
                "warehouse": {"path": file},
                "tables": [
                    {"name": table, "mode": "incremental", "cursor": "updated_at", "lag": "0"}
                ],
            }
        )
        timed(config)
        idle, busy, read = [], [], []
        for _ in range(rounds):
            source.execute(CHANGE.format(table=table, rows=rows, changed=changed).encode())
            outcome, seconds = timed(config)
            busy.append(seconds)
            read.append(outcome.rows_published)
            idle.append(timed(config)[1])
    print(f"{rows:,} rows, medians of {rounds} nights")
    print(f"nothing changed: {median(idle):.2f} s")
    print(f"{median(read):,.0f} rows changed: {median(busy):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.nights")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--changed", type=int, default=150_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measure(options.rows, options.changed, options.rounds)


if __name__ == "__main__":
    main()
