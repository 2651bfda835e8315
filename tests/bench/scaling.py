"""`python -m tests.bench.scaling`: what Prefect adds to a table, in process and by workers.

A lasting Prefect server, process workers of one run each, PostgreSQL and the Snowflake emulator,
all on this machine. Seconds are those of the server's records, so imports of the night itself are
left out; CPU seconds are those that the system counted, by whose they are.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import yaml

from tasks.config import Config
from tasks.source import embedded
from tests.bench.__main__ import HOME
from tests.bench.runs import make_orders
from tests.bench.transfer import transfer
from tests.emulator import Emulator

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
TICKS = os.sysconf("SC_CLK_TCK")
SMALL = 100
SKIP = ("--skip-dbt", "--skip-quality")


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


@dataclass
class Bench:
    """The parts that stay up, and how a night is run on them."""

    folder: Path
    url: str
    source: int
    warehouse: Emulator
    environment: dict[str, str]
    server: int

    def prefect(self, *arguments: str) -> None:
        subprocess.run(
            [PREFECT, "--no-prompt", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def configuration(self, tables: list[str], execution: str) -> dict[str, Any]:
        return {
            "source": {"url": self.url},
            "warehouse": {"kind": "snowflake"},
            "execution": execution,
            "tables": [{"name": name} for name in tables],
        }

    def night(self, tables: list[str], execution: str) -> dict[str, Any]:
        """Runs one, and returns the server's record of it."""
        path = self.folder / "tables.yaml"
        path.write_text(yaml.safe_dump(self.configuration(tables, execution)))
        command: list[str | Path] = [sys.executable, ROOT / "flows" / "daily.py", *SKIP]
        subprocess.run(
            [*command, "--config", path],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        [run] = self.runs(flows={"name": {"any_": ["daily"]}}, sort="START_TIME_DESC", limit=1)
        return run

    def runs(self, **which: Any) -> list[dict[str, Any]]:
        url = f"{self.environment['PREFECT_API_URL']}/flow_runs/filter"
        found: list[dict[str, Any]] = httpx.post(url, json=which).raise_for_status().json()
        return found

    @contextmanager
    def workers(self, number: int) -> Iterator[list[int]]:
        """Process workers of one run each; yields their pids."""
        command: list[str | Path] = [PREFECT, "worker", "start", "--pool", "daybreak"]
        command += ["--limit", "1", "--name"]
        started = {
            name: subprocess.Popen(
                [*command, name], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
            )
            for name in (f"{number}-{place}" for place in range(number))
        }
        try:
            until(lambda: {*started} <= self.known_workers())
            yield [worker.pid for worker in started.values()]
        finally:
            for worker in started.values():
                worker.terminate()
            for worker in started.values():
                worker.wait()

    def known_workers(self) -> set[str]:
        url = f"{self.environment['PREFECT_API_URL']}/work_pools/daybreak/workers/filter"
        found = httpx.post(url, json={}).raise_for_status().json()
        return {worker["name"] for worker in found}


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.5)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


@contextmanager
def bench() -> Iterator[Bench]:
    """Starts the parts, and deploys what workers run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daybreak-bench-")))
        url = embedded.start(HOME / "source")
        warehouse = Emulator(folder / "snowflake")
        stack.callback(warehouse.kill)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        environment = {
            **os.environ,
            **warehouse.account().environment,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        server = subprocess.Popen(
            [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(server.wait)
        stack.callback(server.terminate)
        until(lambda: answers(environment["PREFECT_API_URL"]))
        postmaster = HOME / "source" / "data" / "postmaster.pid"
        source = int(postmaster.read_text().splitlines()[0])
        made = Bench(folder, url, source, warehouse, environment, server.pid)
        made.prefect("work-pool", "create", "--type", "process", "daybreak")
        made.prefect("deploy", "--name", "extract-load")
        yield made


def made_tables(bench: Bench, number: int, rows: int) -> list[str]:
    names = [f"orders_{rows}_{place}" for place in range(number)]
    for name in names:
        make_orders(bench.url, name, rows)
    return names


def seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def told(bench: Bench, run: dict[str, Any]) -> str:
    """A night's seconds, and of its tables' runs the median wait and time."""
    of_night = {"parent_flow_run_id": {"any_": [run["id"]]}}
    children = bench.runs(flow_runs=of_night, flows={"name": {"any_": ["extract-load"]}})
    waited = median(seconds(child["created"], child["start_time"]) for child in children)
    ran = median(child["total_run_time"] for child in children)
    night, tables = run["total_run_time"], len(children)
    return (
        f"night {night:6.1f} s, {night / tables:5.2f} s a table;"
        f" a run waits {waited:5.2f} s for its process and takes {ran:5.2f} s"
    )


def overhead(bench: Bench, counts: list[int], by_workers: list[int]) -> None:
    """Prints what tiny tables cost without Prefect, in process and by two workers."""
    names = made_tables(bench, max(counts + by_workers), SMALL)
    os.environ.update(bench.environment)
    alone = Config.model_validate(bench.configuration(names[:1], "in_process"))
    transfer(alone)
    started = time.perf_counter()
    transfer(alone)
    print(f"without Prefect       1 table : {time.perf_counter() - started:5.2f} s", flush=True)
    for count in counts:
        run = bench.night(names[:count], "in_process")
        print(f"in process          {count:3} tables: {told(bench, run)}", flush=True)
    with bench.workers(2):
        for count in by_workers:
            run = bench.night(names[:count], "workers")
            print(f"by two workers      {count:3} tables: {told(bench, run)}", flush=True)


def throughput(bench: Bench, tables: int, rows: int, workers: list[int]) -> None:
    """Prints the rows a second of larger tables, and whose CPU seconds they took."""
    names = made_tables(bench, tables, rows)
    for number in (0, *workers):
        with bench.workers(number) as pids:
            parts = {
                "source": [bench.source],
                "warehouse": [bench.warehouse.pid],
                "Prefect's server": [bench.server],
                "workers": pids,
            }
            before = {part: sum(map(cpu_seconds, of)) for part, of in parts.items()}
            run = bench.night(names, "workers" if number else "in_process")
            spent = {
                part: sum(map(cpu_seconds, of)) - before[part] for part, of in parts.items() if of
            }
        rate = tables * rows / run["total_run_time"]
        shares = ", ".join(f"{part} {share:.1f}" for part, share in spent.items())
        how = f"{number} workers" if number else "in process"
        print(f"{how:10}: {rate:9,.0f} rows/s, {told(bench, run)}; CPU s: {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--by-workers", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tables", type=int, default=8)
    parser.add_argument("--rows", type=int, default=500_000)
    options = parser.parse_args()
    with bench() as made:
        overhead(made, options.counts, options.by_workers)
        throughput(made, options.tables, options.rows, options.workers)


if __name__ == "__main__":
    main()
