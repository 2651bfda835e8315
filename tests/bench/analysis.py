"""`python -m tests.bench.analysis`: how long the analysis of many tables takes."""

import argparse
import time

import psycopg

from tasks.analyze import analyze
from tasks.config import Config
from tasks.source.embedded import start
from tests.bench.__main__ import HOME
from tests.many_tables import SCHEMA, make_many


def measure(tables: int) -> None:
    """Prints the seconds of one analysis."""
    url = start(HOME / "source")
    with psycopg.connect(url, autocommit=True) as server:
        make_many(server, tables)
    config = Config.model_validate({"source": {"url": url}, "tables": [{"name": "any"}]})
    started = time.perf_counter()
    found = analyze.fn(config, [SCHEMA], whole=False)
    seconds = time.perf_counter() - started
    print(f"{len(found.advices):,} tables analysed in {seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.analysis")
    parser.add_argument("--tables", type=int, default=200)
    measure(parser.parse_args().tables)


if __name__ == "__main__":
    main()
