"""`python -m tests.bench.reconcile`: what it costs to prove that a copy equals its source.

Seconds of the whole comparison of equal rows, beside those of the transfer's own read of the
source in the same round, and how often the copy was scanned; and of the source's side alone, as it
is computed for Snowflake.
"""

import argparse
import time
from statistics import median
from typing import Any

from tasks.config import Config
from tasks.connect import open_source, open_warehouse
from tasks.extract import extract
from tasks.plan import plan
from tasks.reconcile import compare_rows
from tasks.transfer.row_compare import SourceRows
from tasks.transfer.row_hash import RowHash
from tasks.warehouse.base import Warehouse
from tasks.warehouse.duckdb_hashes import PORTABLE
from tests.bench.__main__ import HOME, orders
from tests.bench.transfer import transfer


def compared(config: Config) -> tuple[float, float, int]:
    """Seconds of a comparison and of MD5s of the source, and how often the copy was scanned."""
    [table] = config.tables
    source = open_source(config)
    with plan(config, [table]) as planned, open_warehouse(config) as warehouse:
        snapshot, _ = planned.current()
        scans = _counted(warehouse, f'"{table.target}"')
        started = time.perf_counter()
        found = compare_rows.fn(config, source, warehouse, table.name, snapshot)
        seconds = time.perf_counter() - started
        assert found.is_equal
        contract, streams = found.contract, config.source.streams
        fields = [each for each in contract.fields if each.name not in contract.key]
        hashed = RowHash(fields, contract.key_fields)
        rows = SourceRows(source, snapshot, contract, streams, PORTABLE, hashed)
        started = time.perf_counter()
        rows.digests()
        return seconds, time.perf_counter() - started, len(scans)


def measure(rows: int, rounds: int) -> None:
    """Prints the medians of alternating transfers and comparisons."""
    url, table = orders(rows)
    reads, comparisons, portable, scans = [], [], [], 0
    read = extract.fn

    def noted(*arguments: Any) -> Any:
        result = read(*arguments)
        reads.append(result.seconds)
        return result

    extract.fn = noted  # type: ignore[assignment]
    for _ in range(rounds):
        file = HOME / "reconcile.duckdb"
        file.unlink(missing_ok=True)
        document = {
            "source": {"url": url},
            "warehouse": {"path": file},
            "tables": [{"name": table}],
        }
        config = Config.model_validate(document)
        transfer(config)
        seconds, alone, scans = compared(config)
        comparisons.append(seconds)
        portable.append(alone)
    print(f"{rows:,} equal rows, medians of {rounds} rounds")
    print(f"the transfer's read of the source: {median(reads):.2f} s")
    print(f"comparison: {_told(comparisons, reads)}, {scans} scan of the copy")
    print(f"the source's side for Snowflake: {_told(portable, reads)}")


def _told(seconds: list[float], reads: list[float]) -> str:
    ratio = median(whole / one for whole, one in zip(seconds, reads, strict=True))
    return f"{median(seconds):.2f} s, {ratio:.2f} reads"


def _counted(warehouse: Warehouse, name: str) -> list[str]:
    """The statements that name a table, as they are run from now on."""
    found: list[str] = []
    query = warehouse.query

    def noting(statement: str, parameters: list[Any] | None = None) -> Any:
        if name in statement:
            found.append(statement)
        return query(statement, parameters)

    warehouse.query = noting  # type: ignore[method-assign]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reconcile")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measure(options.rows, options.rounds)


if __name__ == "__main__":
    main()
