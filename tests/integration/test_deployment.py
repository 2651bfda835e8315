"""The deployment as prefect.yaml declares it: what the server is told, and a night by a worker."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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
def prefect(tmp_path: Path, prefect_api: str) -> Prefect:
    """Runs `prefect` with arguments, asks it nothing, and returns what it said."""
    environment = {
        "PREFECT_API_URL": prefect_api,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "DAYBREAK_DEMO_SCALE": "0.01",
    }

    def run(*arguments: str, cwd: Path) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("prefect"), "--no-prompt", *arguments],
            cwd=cwd,
            env={**os.environ, **environment},
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
    project: Path, tmp_path: Path, prefect: Prefect, prefect_api: str
) -> None:
    prefect("work-pool", "create", "--type", "process", "daybreak", cwd=project)
    prefect("deploy", "--all", cwd=project)
    with httpx.Client(base_url=prefect_api, timeout=60) as api:
        deployment = found(api.get("/deployments/name/daily/daily"))
        assert deployment["tags"] == ["etl", "snowflake", "production"]
        assert deployment["work_pool_name"] == "daybreak"
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        [schedule] = deployment["schedules"]
        assert schedule["active"]
        assert schedule["schedule"]["cron"] == "0 2 * * *"
        assert schedule["schedule"]["timezone"] == "UTC"

        prefect("deployment", "run", "daily/daily", cwd=tmp_path)
        said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)
        of_ours = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        [run] = found(api.post("/flow_runs/filter", json=of_ours))
        assert run["state"]["type"] == "COMPLETED", said

        demo = project / "deployments" / "demo.yaml"
        demo.write_text(demo.read_text().replace("min_rows: 1", "min_rows: 1000000"))
        prefect("deployment", "run", "daily/daily", "--param", "skip_dbt=true", cwd=tmp_path)
        said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)
        states = {
            one["state"]["type"]: one for one in found(api.post("/flow_runs/filter", json=of_ours))
        }

    assert "expected at least 1000000" in states["FAILED"]["state"]["message"]
    assert "Traceback" not in said and "leaked" not in said, said
    with duckdb.connect(str(project / ".daybreak" / "warehouse.duckdb"), read_only=True) as session:
        [orders] = session.execute("select count(*) from raw.orders").fetchone() or (0,)
    assert orders > 0, said


def found(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json()
