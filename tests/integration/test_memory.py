"""The transfer's memory is bounded by its chunks, whatever the size of the table."""

import sys
from pathlib import Path

from docs.pools import TRANSFER_MB
from tests.bench.runs import make_orders, measured, transfer


def test_a_table_three_times_as_large_takes_no_more_memory(source_url: str, tmp_path: Path) -> None:
    peaks = []
    for rows in (1_000_000, 3_000_000):
        make_orders(source_url, f"orders_{rows}", rows)
        peaks.append(
            transfer(source_url, f"public.orders_{rows}", tmp_path / f"{rows}.duckdb").peak
        )
    small, large = peaks
    assert large < TRANSFER_MB
    assert large / small < 1.15


def test_the_memory_of_whoever_measures_does_not_count() -> None:
    held = b"x" * 300_000_000
    assert measured([sys.executable, "-c", "print(0.0)"]).peak < 100
    assert len(held) == 300_000_000
