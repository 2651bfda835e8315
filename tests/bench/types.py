"""`python -m tests.bench.types`: what it costs to read columns as text.

Two tables of as many rows and columns, of which one has only types that are read as they are, and
the other only types that are cast to text. Bytes are those of the source's tables.
"""

import argparse
from collections import defaultdict
from statistics import median

import psycopg

from tasks.source.embedded import start
from tests.bench.__main__ import HOME
from tests.bench.runs import Run, transfer

COLUMNS = {
    "native": {
        "int2": "n % 1000",
        "int4": "n",
        "int8": "n * 1000003::bigint",
        "float4": "n / 7.0",
        "float8": "n / 3.0",
        "bool": "n % 2 = 0",
        "text": "'order ' || n",
        "bytea": "decode(md5(n::text), 'hex')",
        "date": "date '2024-01-01' + n % 365",
        "timestamptz": "timestamptz '2024-01-01' + n * interval '3 seconds'",
    },
    "cast": {
        "numeric(12,2)": "n / 100.0",
        "numeric": "n / 7.0",
        "time": "time '00:00' + n * interval '3 seconds'",
        "uuid": "md5(n::text)::uuid",
        "jsonb": "jsonb_build_object('id', n, 'tags', array['a', 'b'])",
        "interval": "n * interval '3 seconds'",
        "inet": "inet '10.0.0.0' + n % 65536",
        "char(10)": "'A' || n % 10000",
        "int[]": "array[n, n % 7, null]",
        "int4range": "int4range(n, n + 10)",
    },
}


def make(url: str, kind: str, rows: int) -> tuple[str, int]:
    """The name of a table, which is made unless it is there, and its bytes."""
    table, columns = f"public.{kind}_{rows}", COLUMNS[kind]
    defined = ", ".join(f"c{number} {name}" for number, name in enumerate(columns))
    values = ", ".join(f"({value})::{name}" for name, value in columns.items())
    with psycopg.connect(url, autocommit=True) as server:
        if server.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
            with server.transaction():
                server.execute(f"create table {table} (id bigint primary key, {defined})".encode())
                made = f"select n, {values} from generate_series(1, {rows}) n"
                server.execute(f"insert into {table} {made}".encode())
            server.execute(f"vacuum analyze {table}".encode())
        [(size,)] = server.execute("select pg_table_size(%s)", [table])
    return table, size


def compare(rows: int, rounds: int) -> None:
    """Prints each table's bytes a second, medians of alternating runs, and their ratio."""
    url = start(HOME / "source")
    tables = {kind: make(url, kind, rows) for kind in COLUMNS}
    runs: dict[str, list[Run]] = defaultdict(list)
    for _ in range(rounds):
        for kind, (table, _) in tables.items():
            runs[kind].append(transfer(url, table, HOME / "types.duckdb"))
    print(f"{rows:,} rows of 10 columns, medians of {rounds} alternating runs")
    speeds = {}
    for kind, (_, size) in tables.items():
        seconds = median(run.seconds for run in runs[kind])
        speeds[kind] = size / seconds / 1e6
        print(f"{kind:8} {size / 1e6:8.0f} MB {seconds:8.2f} s {speeds[kind]:8.1f} MB/s")
    print(f"cast to text, as many bytes a second: {speeds['cast'] / speeds['native']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.types")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    compare(options.rows, options.rounds)


if __name__ == "__main__":
    main()
