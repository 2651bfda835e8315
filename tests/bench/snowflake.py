"""`python -m tests.bench.snowflake`: our transfer into the Snowflake emulator.

In one run and alternating: the same transfer into DuckDB, and row-by-row INSERTs through the same
connector. The emulator is a DuckDB on the same machine, so its speed is not Snowflake's: what
counts are the ratios, and the share of each part.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg

from tests.bench.__main__ import HOME, orders
from tests.bench.runs import transfer
from tests.emulator import Account, Emulator

INSERTED = 1_000
# The emulator takes no fraction that is bound as a number.
SAMPLE = """select order_id, customer_id, order_date, total_amount::text, currency, status,
    updated_at from {table} limit {rows}"""
PARTS = ("read", "screen", "encode", "PUT", "COPY", "publish")
MAKE = """create table public.orders (
    order_id number(19, 0), customer_id number(19, 0), order_date date, total_amount number(12, 2),
    currency varchar, status varchar, updated_at timestamp_ltz(6))"""


def into_snowflake(url: str, table: str, account: Account) -> dict[str, float]:
    """Seconds of each part of a transfer and in total, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.parts", url, table],
        env={**os.environ, **account.environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def row_by_row(url: str, table: str, account: Account) -> float:
    """Rows a second of INSERTs by executemany."""
    with psycopg.connect(url) as source:
        sample = SAMPLE.format(table=table, rows=INSERTED)
        rows = source.execute(sample.encode()).fetchall()
    account.query(MAKE)
    started = time.perf_counter()
    with account.connect() as session, session.cursor() as cursor:
        marks = ", ".join("?" for _ in rows[0])
        cursor.executemany(f"insert into public.orders values ({marks})", rows)
    return len(rows) / (time.perf_counter() - started)


def compare(rows: int, rounds: int, server: Emulator) -> None:
    """Prints medians over alternating rounds."""
    url, table = orders(rows)
    file = HOME / "snowflake.duckdb"
    duckdb, ours, inserts = [], [], []
    for _ in range(rounds):
        duckdb.append(transfer(url, table, file).seconds)
        account = server.account()
        ours.append(into_snowflake(url, table, account))
        inserts.append(row_by_row(url, table, account))
    seconds = median(one["total"] for one in ours)
    slower = median(one["total"] / other for one, other in zip(ours, duckdb, strict=True))
    faster = median(rows / one["total"] / rate for one, rate in zip(ours, inserts, strict=True))
    print(f"{rows:,} rows, medians of {rounds} alternating rounds")
    print(f"into DuckDB    {median(duckdb):6.2f} s")
    print(f"into Snowflake {seconds:6.2f} s, {slower:.2f} times as long")
    print(f"executemany    {median(inserts):,.0f} rows/s; ours are {faster:,.0f} times as many")
    for part in PARTS:
        print(f"{part:14} {median(one[part] for one in ours):6.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.snowflake")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybreak-bench-") as folder:
        server = Emulator(Path(folder))
        compare(options.rows, options.rounds, server)
        server.kill()


if __name__ == "__main__":
    main()
