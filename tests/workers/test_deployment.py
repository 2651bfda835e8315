"""The deployment as prefect.yaml declares it: what the server is told, and a night by a worker."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.conftest import ROOT
from tests.workers.conftest import Prefect, found, make_pools, until

FOLDERS = ("flows", "tasks", "dbt", "deployments")
FILES = ("prefect.yaml", "pyproject.toml")
LEFT_BY_RUNS = shutil.ignore_patterns("__pycache__", "target", "logs", ".user.yml")


@pytest.fixture
def project(open_path: Path) -> Path:
    """A copy of the project, whose demo has a warehouse and a shop of its own."""
    copy = open_path / "the project"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=LEFT_BY_RUNS)
    for file in FILES:
        shutil.copy(ROOT / file, copy)
    return copy


@pytest.mark.long
def test_a_worker_completes_the_deployed_night_from_any_folder(
    project: Path, tmp_path: Path, prefect: Prefect, api: httpx.Client
) -> None:
    make_pools(api)
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
    given = ("--param", "skip_dbt=true", "--param", 'tables=["orders"]')
    prefect("deployment", "run", "daily/daily", *given, cwd=tmp_path)
    said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)

    assert "expected at least 1000000" in states(api, of_ours)["FAILED"], said
    assert "Traceback" not in said and "leaked" not in said, said
    with duckdb.connect(str(project / ".daybreak" / "warehouse.duckdb"), read_only=True) as session:
        nights = "select count(*) from raw.sync_runs where table_name = ?"
        copied = [session.execute(nights, [table]).fetchone() for table in ("orders", "users")]
    assert copied == [(2,), (1,)], said
    with pytest.raises(AssertionError, match="tabels"):
        prefect("deployment", "run", "daily/daily", "--param", "tabels=[]", cwd=tmp_path)


@pytest.mark.long
def test_a_worker_fetches_the_project_from_its_repository(
    project: Path,
    tmp_path: Path,
    prefect: Prefect,
    api: httpx.Client,
    environment: dict[str, str],
) -> None:
    """The repository's report alone says where it is in these words: no other code has run."""
    report = project / "tasks" / "report.py"
    report.write_text(report.read_text().replace("report   {written}", "fetched  {written}"))
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "Ours"]):
        subprocess.run([*git, *command], check=True)
    declared = (project / "prefect.yaml").read_text()
    pulled = declared.replace("https://github.com/your-team/daybreak.git", f"file://{project}")
    (project / "prefect.yaml").write_text(pulled.replace("pull: *local", "pull: *git"))
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        Secret(value="a token").save("daybreak-repository")
    make_pools(api)
    prefect("deploy", "--all", cwd=project)
    given = ("--param", "skip_dbt=true", "--param", "skip_quality=true")
    prefect("deployment", "run", "daily/daily", *given, cwd=tmp_path)
    said = prefect("worker", "start", "--pool", "daybreak", "--run-once", cwd=tmp_path)
    assert "COMPLETED" in states(api, {}), said
    assert "fetched  .daybreak/report/index.html" in said


def states(api: httpx.Client, of_ours: dict[str, Any]) -> dict[str, str]:
    """The states that runs are in, each with the message of one of them."""
    runs = found(api.post("/flow_runs/filter", json=of_ours))
    return {run["state"]["type"]: run["state"]["message"] for run in runs}
