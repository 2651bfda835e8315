"""`python -m tests.bench.deletes`: what it costs to find a few deleted rows among many.

Seconds of the whole comparison, beside those of the one scan that hashes every key of the source.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import psycopg

from tasks.compare import compare
from tasks.config import Config
from tasks.transfer.compare import SourceKeys
from tests.bench.__main__ import HOME, orders
from tests.bench.transfer import transfer

DELETE = "delete from {table} where order_id in (select order_id from {table} limit {deleted})"


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which notes how long each call takes."""

    def call(*arguments: Any) -> Any:
        started = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - started)
        return result

    return call


def measure(rows: int, deleted: int, rounds: int) -> None:
    """Prints the medians of nights on which this many rows were deleted."""
    url, table = orders(rows, "deletes")
    file = HOME / "deletes.duckdb"
    file.unlink(missing_ok=True)
    scans: list[float] = []
    comparisons: list[float] = []
    SourceKeys.digests = timed(SourceKeys.digests, scans)  # type: ignore[method-assign]
    compare.fn = timed(compare.fn, comparisons)
    config = Config.model_validate(
        {
            "source": {"url": url},
            "warehouse": {"path": file},
            "tables": [
                {"name": table, "mode": "incremental", "cursor": "updated_at", "deletes": "hard"}
            ],
        }
    )
    transfer(config)
    with psycopg.connect(url, autocommit=True) as source:
        for _ in range(rounds):
            source.execute(DELETE.format(table=table, deleted=deleted).encode())
            transfer(config)
    ratio = median(whole / scan for whole, scan in zip(comparisons, scans, strict=True))
    print(f"{rows:,} rows, {deleted} deleted, medians of {rounds} nights")
    print(f"one hash scan: {median(scans):.2f} s")
    print(f"comparison: {median(comparisons):.2f} s, {ratio:.2f} scans")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.deletes")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--deleted", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measure(options.rows, options.deleted, options.rounds)


if __name__ == "__main__":
    main()
