"""The deployment as prefect.yaml declares it: what the server is told, and a night by a worker."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from tests.conftest import ROOT

FOLDERS = ("flows", "tasks", "dbt", "deployments")
FILES = ("prefect.yaml", "pyproject.toml")
LEFT_BY_RUNS = shutil.ignore_patterns("__pycache__", "target", "logs", ".user.yml")
Prefect = Callable[..., str]
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture
def project(open_path: Path) -> Path:
    """A copy of the project, whose demo has a warehouse and a shop of its own."""
    copy = open_path / "the project"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=LEFT_BY_RUNS)
    for file in FILES:
        shutil.copy(ROOT / file, copy)
    return copy


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of the server, the worker and whoever deploys."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "DAYBREAK_DEMO_SCALE": "0.01",
    }


@pytest.fixture
def api(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A lasting Prefect server with all its services, as teams run it."""
    url = environment["PREFECT_API_URL"]
    address = ["--host", "127.0.0.1", "--port", str(httpx.URL(url).port)]
    server = subprocess.Popen(
        [PREFECT, "server", "start", *address],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with httpx.Client(base_url=url, timeout=60) as client:
        until(lambda: answers(client))
        yield client
    server.terminate()
    server.wait()


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


def test_a_worker_completes_the_deployed_night_from_any_folder(
    project: Path, tmp_path: Path, prefect: Prefect, api: httpx.Client
) -> None:
    prefect("work-pool", "create", "--type", "process", "daybreak", cwd=project)
    prefect("deploy", "--all", cwd=project)
    deployment = found(api.get("/deployments/name/daily/daily"))
    assert deployment["tags"] == ["etl", "snowflake", "production"]
    assert deployment["work_pool_name"] == "daybreak"
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    [schedule] = deployment["schedules"]
    assert schedule["active"]
    assert schedule["schedule"]["cron"] == "0 2 * * *"
    assert schedule["schedule"]["timezone"] == "UTC"
    [weekly] = found(api.get("/deployments/name/reconcile/reconcile"))["schedules"]
    assert weekly["schedule"]["cron"] == "0 6 * * 0"
    assert found(api.get("/deployments/name/backfill/backfill"))["schedules"] == []
    of_ours = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    until(lambda: states(api, of_ours))
    assert set(states(api, of_ours)) == {"SCHEDULED"}

    prefect("deployment", "run", "daily/daily", cwd=tmp_path)
    said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)
    assert "COMPLETED" in states(api, of_ours), said

    demo = project / "deployments" / "demo.yaml"
    demo.write_text(demo.read_text().replace("min_rows: 1", "min_rows: 1000000"))
    prefect("deployment", "run", "daily/daily", "--param", "skip_dbt=true", cwd=tmp_path)
    said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)

    assert "expected at least 1000000" in states(api, of_ours)["FAILED"], said
    assert "Traceback" not in said and "leaked" not in said, said
    with duckdb.connect(str(project / ".daybreak" / "warehouse.duckdb"), read_only=True) as session:
        [orders] = session.execute("select count(*) from raw.orders").fetchone() or (0,)
    assert orders > 0, said


def states(api: httpx.Client, of_ours: dict[str, Any]) -> dict[str, str]:
    """The states that runs are in, each with the message of one of them."""
    runs = found(api.post("/flow_runs/filter", json=of_ours))
    return {run["state"]["type"]: run["state"]["message"] for run in runs}


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
