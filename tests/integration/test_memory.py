"""The transfer's memory is bounded by its chunks, whatever the size of the table."""

from pathlib import Path

from tests.bench.runs import make_orders, transfer


def test_a_table_three_times_as_large_takes_no_more_memory(source_url: str, tmp_path: Path) -> None:
    peaks = []
    for rows in (1_000_000, 3_000_000):
        make_orders(source_url, f"orders_{rows}", rows)
        peaks.append(
            transfer(source_url, f"public.orders_{rows}", tmp_path / f"{rows}.duckdb").peak
        )
    small, large = peaks
    assert large < 500
    assert large / small < 1.15
