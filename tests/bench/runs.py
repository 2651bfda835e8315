"""What the benchmark and the tests of memory share: the table of orders, and a measured process."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

MAKE_ORDERS = """
create table {table} (
    order_id bigint primary key, customer_id bigint, order_date date, total_amount numeric(12,2),
    currency text, status text, updated_at timestamptz);
insert into {table}
select n, n % 1000000, date '2024-01-01' + (n % 365)::int, (n % 100000) / 100.0, 'USD',
       (array['placed', 'shipped', 'delivered', 'returned'])[1 + n % 4],
       timestamptz '2024-01-01' + n * interval '3 seconds'
from generate_series(1, {rows}) n
"""

# A process counts as its own the memory of whoever started it, so that has to be a small one.
WITH_PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, flush=True)
sys.exit(code)
"""


@dataclass(frozen=True)
class Run:
    """Wall time in seconds, imports left out, and the peak memory of the process in MB."""

    seconds: float
    peak: int


def make_orders(url: str, table: str, rows: int) -> None:
    """Makes a table of this many orders, unless it is there."""
    with psycopg.connect(url, autocommit=True) as server:
        if server.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
            with server.transaction():
                server.execute(MAKE_ORDERS.format(table=table, rows=rows).encode())
            server.execute(f"vacuum analyze {table}".encode())


def measured(command: list[str | Path]) -> Run:
    """Runs a process that prints its seconds last; its peak memory is what the system counted."""
    process = subprocess.run(
        [sys.executable, "-S", "-c", WITH_PEAK, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed.")
    *_, seconds, peak = process.stdout.split()
    return Run(float(seconds), int(peak) // 1024)


def transfer(url: str, table: str, file: Path, **settings: Any) -> Run:
    """Our transfer of a table into a file, in a process of its own."""
    told = json.dumps(settings)
    return measured([sys.executable, "-m", "tests.bench.transfer", url, table, file, told])


def in_turns(
    rounds: int, without: Callable[[], float], held: Callable[[], float]
) -> tuple[float, float, float]:
    """The median seconds of both, and the median of the second's ratio to the first by round."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        # Whoever is first in a round finds other caches than whoever is second.
        for place in (0, 1) if number % 2 else (1, 0):
            seconds[place].append((without, held)[place]())
    ratio = median(ours / its for its, ours in zip(*seconds, strict=True))
    return median(seconds[0]), median(seconds[1]), ratio
