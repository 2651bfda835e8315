"""`make bench`: our transfer beside its peers, alternating, on one table in one PostgreSQL.

A peer runs when its environment exists: `make peers` makes them. Every figure is of a whole run
into a fresh DuckDB file; seconds are from after the imports until the rows can be read.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import median

from tasks.source.embedded import start
from tests.bench.runs import Run, make_orders, measured, transfer

HOME = Path(".bench").resolve()
PEERS = Path(__file__).parent / "peers"
OURS = "daybreak"


def orders(rows: int, kind: str = "orders") -> tuple[str, str]:
    """The URL and the name of a table of this many orders, one of each kind."""
    # The host in front is for clients that insist on one; libpq takes the last.
    url = start(HOME / "source").replace("@/", "@localhost:5432/")
    table = f"public.{kind}_{rows}"
    make_orders(url, table, rows)
    return url, table


def run(name: str, url: str, table: str) -> Run:
    """One run of ours or of a peer into a fresh file."""
    file = HOME / f"{name}.duckdb"
    file.unlink(missing_ok=True)
    if name == OURS:
        return transfer(url, table, file)
    return measured([HOME / name / "bin" / "python", PEERS / f"{name}.py", url, table, file])


def compare(rows: int, rounds: int) -> None:
    """Prints each one's medians over alternating runs, and the ratios to ours."""
    url, table = orders(rows)
    names = [OURS, *(p.stem for p in sorted(PEERS.glob("*.py")) if (HOME / p.stem).exists())]
    runs: dict[str, list[Run]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            runs[name].append(run(name, url, table))
    print(f"{rows:,} rows, medians of {rounds} alternating runs")
    print(f"{'':16} {'seconds':>8} {'rows/s':>10} {'peak MB':>8} {'ours / its':>10}")
    for name in names:
        seconds = median(one.seconds for one in runs[name])
        peak = max(one.peak for one in runs[name])
        ratio = median(
            mine.seconds / its.seconds for mine, its in zip(runs[OURS], runs[name], strict=True)
        )
        print(f"{name:16} {seconds:8.2f} {rows / seconds:10,.0f} {peak:8} {ratio:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for rows in options.rows:
        compare(rows, options.rounds)


if __name__ == "__main__":
    main()
