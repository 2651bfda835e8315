"""`python -m tests.bench.overhead`: what it costs to show progress and to tell lineage.

The same subflow of one table on a real Prefect server, in turns: with a live display, a progress
artifact, assets and OpenLineage's events to a file, and without any of them. Where the machine is
busy, that ratio says little; so what the parts themselves use is counted too, by their threads' CPU
time, and held against that of the whole process. The server's is not counted.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from functools import partial, wraps
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import yaml
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, temporary_settings
from rich.console import Console
from rich.live import Live

from tasks import progress
from tasks.lineage import Lineage
from tasks.logs import LiveLines, log
from tasks.progress import Reading
from tasks.server import TemporaryServer
from tests.bench.__main__ import HOME, orders
from tests.bench.runs import in_turns


@contextmanager
def unseen(table: str, expected: int | None) -> Iterator[Reading]:
    """Progress that nobody is shown."""
    yield Reading(table, expected, lambda _: None, every=float("inf"))


#: What stands in the place of each part.
WITHOUT: dict[str, Any] = {
    "tasks.extract.shown": unseen,
    "flows.extract_load.Lineage.started": lambda *_: None,
    "flows.extract_load.Lineage.ended": lambda *_: None,
    "flows.extract_load.Lineage.of": lambda *_: nullcontext(),
}

#: What the parts are, each in the thread that calls it.
PARTS = [
    (Reading, "tell"),
    (Live, "refresh"),
    (progress, "_keep"),
    (Lineage, "started"),
    (Lineage, "ended"),
]


def configuration(url: str, table: str) -> Path:
    """The file of a night of one table, which tells its lineage to another file."""
    path = HOME / "overhead.yaml"
    document = {
        "source": {"url": url},
        "warehouse": {"path": str(HOME / "overhead.duckdb")},
        "tables": [{"name": table}],
        "lineage": {"path": str(HOME / "overhead.jsonl")},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def night(path: Path, cpu: list[float], without: dict[str, Any]) -> float:
    """Seconds of a night into a fresh file."""
    from flows.daily import daily

    (HOME / "overhead.duckdb").unlink(missing_ok=True)
    with ExitStack() as patches:
        for place, what in without.items():
            patches.enter_context(patch(place, what))
        started, spent = time.perf_counter(), time.process_time()
        with redirect_stdout(StringIO()):
            daily(str(path), skip_dbt=True, skip_quality=True)
        cpu.append(time.process_time() - spent)
    return time.perf_counter() - started


@contextmanager
def displayed() -> Iterator[None]:
    """Draws the live display as for a terminal, into nowhere."""
    with Path("/dev/null").open("w") as nowhere:
        lines = LiveLines()
        lines.bars.live.console = Console(file=nowhere, force_terminal=True, width=120)
        log.addHandler(lines)
        yield
        log.removeHandler(lines)


def counted(owner: Any, name: str, spent: list[float]) -> None:
    """Notes the CPU seconds that each call of a function takes in its own thread."""
    function = getattr(owner, name)

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            spent.append(time.thread_time() - started)

    setattr(owner, name, call)


def measure(rows: int, rounds: int) -> None:
    """Prints the medians of both, and of their ratios round by round."""
    path = configuration(*orders(rows))
    night(path, [], {})
    parts: list[float] = []
    for owner, name in PARTS:
        counted(owner, name, parts)
    bare: list[float] = []
    held: list[float] = []
    without, shown, ratio = in_turns(
        rounds, partial(night, path, bare, WITHOUT), partial(night, path, held, {})
    )
    print(f"{rows:,} rows, medians of {rounds} rounds")
    print(f"without: {without:.2f} s, {median(bare):.2f} CPU s")
    print(f"with progress and lineage: {shown:.2f} s, {median(held):.2f} CPU s")
    print(f"{ratio:.3f} times as long; the parts use {sum(parts) / sum(held):.2%} of the CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overhead")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    server = TemporaryServer()
    settings = {PREFECT_API_URL: server.ready(), PREFECT_LOGGING_LEVEL: "ERROR"}
    with temporary_settings(settings), displayed():
        measure(options.rows, options.rounds)
    server.stop()


if __name__ == "__main__":
    main()
