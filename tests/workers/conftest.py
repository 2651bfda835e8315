"""Teams' Prefect in the tests: a lasting server with all its services, and process workers."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prefect.events import EventTrigger
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.compare import assert_copied
from tests.conftest import ROOT, Write
from tests.faults.conftest import MAKE
from tests.faults.test_kills import children
from tests.receivers import free_port
from tests.warehouses import Copy

Prefect = Callable[..., str]
PREFECT = Path(sys.executable).with_name("prefect")
POOLS = ("daybreak", "daybreak-big")
TABLES = [f"t{number}" for number in range(6)]
ROWS = 1000
#: What makes workers copy the tables of a configuration.
SPREAD: dict[str, Any] = {
    "defaults": {"retries": 5, "retry_delay": "1s"},
    "execution": "workers",
    "workers": {"per_source": 2, "start_timeout": "2m", "run_timeout": "2m"},
}


def environment_of(home: Path) -> dict[str, str]:
    """That of a server, its workers and whoever deploys."""
    return {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_HOME": str(home / "prefect"),
        # As the README has it of a server that is to survive its restarts.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "DAYBREAK_DEMO_SCALE": "0.01",
    }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_of(tmp_path)


@dataclass
class Server:
    """A lasting Prefect server with all its services, as teams run it."""

    environment: dict[str, str]

    def __post_init__(self) -> None:
        self.api = httpx.Client(base_url=self.environment["PREFECT_API_URL"], timeout=60)

    def start(self) -> None:
        port = str(httpx.URL(self.environment["PREFECT_API_URL"]).port)
        log = Path(f"{self.environment['PREFECT_HOME']}.log")
        with log.open("a") as said:
            self._process = subprocess.Popen(
                [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port],
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        until(lambda: answers(self.api) or self._process.poll() is not None)
        assert self._process.poll() is None, log.read_text()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Server]:
    running = Server(environment)
    with running.api:
        running.start()
        yield running
    running.stop()


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Server]:
    with serving(environment) as running:
        yield running


@pytest.fixture
def api(server: Server) -> httpx.Client:
    """A client of the server's API."""
    return server.api


@pytest.fixture
def prefect(environment: dict[str, str]) -> Prefect:
    """Runs `prefect` with arguments, asks it nothing, and returns what it said."""

    def run(*arguments: str, cwd: Path) -> str:
        done = subprocess.run(
            [PREFECT, "--no-prompt", *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def answers(api: httpx.Client) -> bool:
    try:
        return api.get("/health").is_success
    except httpx.TransportError:
        return False


def until(condition: Callable[[], Any]) -> None:
    while not condition():
        time.sleep(0.2)


def found(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json()


def hasty(automation: AutomationCore) -> AutomationCore:
    """The automation with the shortest time that a server allows, where it waits at all."""
    if isinstance(automation.trigger, EventTrigger) and automation.trigger.within:
        automation.trigger.within = timedelta(seconds=10)
    return automation


def make_pools(api: httpx.Client) -> None:
    for name in POOLS:
        found(api.post("/work_pools/", json={"name": name, "type": "process"}))


@dataclass
class Worker:
    """A process worker that works on one run at a time."""

    process: subprocess.Popen[str]
    log: Path

    def runs(self) -> set[str]:
        """The ids of the runs it took."""
        return set(re.findall(r"Worker '[^']+' submitting flow run '(\S+)'", self.log.read_text()))

    def kill_run(self) -> None:
        """Ends the process of the run that it works on."""
        [run] = children(self.process.pid, "prefect")
        os.kill(int(run.name), signal.SIGKILL)

    def kill(self) -> None:
        """Ends it and what it started at once, as a machine does that loses its power."""
        self.process.send_signal(signal.SIGSTOP)  # so that it starts nothing more
        for run in children(self.process.pid, "prefect"):  # each has a session of its own
            os.kill(int(run.name), signal.SIGKILL)
        self.process.kill()
        self.process.wait()


StartWorker = Callable[[], Worker]


@pytest.fixture
def start_worker(environment: dict[str, str], tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker of the pool `daybreak`, and returns it when it is online."""
    started: list[Worker] = []

    def start() -> Worker:
        log = tmp_path / f"worker{len(started)}.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [PREFECT, "worker", "start", "--pool", "daybreak", "--limit", "1"],
                cwd=tmp_path,
                env={**environment, "PREFECT_WORKER_QUERY_SECONDS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        started.append(Worker(process, log))
        until(lambda: "started!" in log.read_text())
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()


@dataclass
class Deployed:
    """Tables on a server that knows the project's deployments, and a way to copy them."""

    config: Path
    api: httpx.Client
    source_url: str
    copies: Copy

    def runs(self, name: str = "extract-load") -> list[dict[str, Any]]:
        """The runs of a deployment, the first to start first."""
        of = {"deployments": {"name": {"any_": [name]}}, "sort": "START_TIME_ASC"}
        return list(found(self.api.post("/flow_runs/filter", json=of)))

    def states(self) -> set[str]:
        """The states of the tables' runs."""
        return {run["state"]["type"] for run in self.runs()}

    def are_copied(self, tables: list[str] = TABLES) -> None:
        """Each table's copy holds the source's rows, and nothing is left behind."""
        for table in tables:
            assert_copied(self.source_url, table, self.copies)
        assert self.copies.staged() == []


@pytest.fixture
def deployed(
    source: psycopg.Connection,
    source_url: str,
    server: Server,
    prefect: Prefect,
    warehouse: Copy,
    environment: dict[str, str],
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployed]:
    """The project as it is here, deployed; for tests whose `warehouse` is Snowflake."""
    for name in TABLES:
        source.execute(MAKE.format(table=name, rows=ROWS).encode())
    monkeypatch.setenv("SOURCE_URL", source_url)
    environment.update(os.environ | {"PREFECT_API_URL": environment["PREFECT_API_URL"]})
    make_pools(server.api)
    prefect("deploy", "--all", cwd=ROOT)
    config = config_file([{"name": name} for name in TABLES], **SPREAD)
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        yield Deployed(config, server.api, source_url, warehouse)
