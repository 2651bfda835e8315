"""The task that runs `dbt build` in a child process and judges it by run_results.json."""

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cloudpickle
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import serialize_context
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from tasks.blocks import snowflake_login
from tasks.config import Config, Warehouse
from tasks.connect import open_warehouse
from tasks.dbt_process import Request
from tasks.errors import TransformFailed
from tasks.locks import ALONE, locked
from tasks.logs import log
from tasks.variables import CREDENTIALS

PROJECT = Path(__file__).parents[1] / "dbt"
RESULTS = PROJECT / "target" / "run_results.json"
PASSED = {"success", "pass", "warn", "no-op"}


@dataclass(frozen=True)
class Built:
    """What dbt passed; `failed` holds a line for each node that did not."""

    models: int
    tests: int
    failed: list[str]


@task(name="dbt build", cache_policy=NO_CACHE, persist_result=False)
def build(config: Config, full_refresh: bool) -> Built:
    """Builds and tests the models on what was published.

    Raises:
        TransformFailed: Naming each model or test that failed, or dbt's last words.
    """
    arguments = ["build", "--target", config.dbt.target or config.warehouse.kind]
    if config.dbt.select:
        arguments += ["--select", config.dbt.select]
    if full_refresh:
        arguments.append("--full-refresh")
    # One run after the other: dbt's results have the same path for all.
    with locked(PROJECT, ALONE):
        RESULTS.unlink(missing_ok=True)
        said = _run(Request(serialize_context(), PROJECT, arguments), config)
        if not RESULTS.exists():
            raise TransformFailed(
                f"dbt stopped before it built anything: {_last_words(said)}",
                remedy="Run `dbt debug` in dbt/ and mend what it names.",
            )
        results = json.loads(RESULTS.read_text())
    _keep(config, results)
    built = judge(results)
    if built == Built(0, 0, []):
        raise TransformFailed(
            f"dbt built nothing: {config.dbt.select or 'the project'} has no model.",
            remedy="Correct dbt.select; `dbt ls --select ...` in dbt/ shows what one matches.",
        )
    if built.failed:
        raise TransformFailed(
            f"{len(built.failed)} dbt nodes failed: {'; '.join(built.failed)}.",
            remedy="Mend the model or the data; the raw tables are published and stay.",
        )
    log.info("dbt: %d models and %d tests passed", built.models, built.tests)
    return built


def _keep(config: Config, results: dict[str, list[dict[str, Any]]]) -> None:
    """Keeps in the ledger how each node ended."""
    now, run = datetime.now(UTC), flow_run.root_flow_run_id
    rows = [
        {
            "run_id": run,
            "node": result["unique_id"],
            "status": result["status"],
            "seconds": result["execution_time"],
            "message": None if result["status"] in PASSED else result["message"],
            "finished_at": max(
                (datetime.fromisoformat(part["completed_at"]) for part in result["timing"]),
                default=now,
            ),
        }
        for result in results["results"]
    ]
    with open_warehouse(config, run=run, step="transform") as warehouse:
        warehouse.add("dbt_results", rows)


def judge(results: dict[str, list[dict[str, Any]]]) -> Built:
    """Counts what passed and names what failed; what was skipped only follows from that."""
    passed: Counter[str] = Counter()
    failed = []
    for result in results["results"]:
        kind, name = result["unique_id"].split(".", 1)[0], result["unique_id"].split(".")[2]
        if result["status"] in PASSED:
            passed["tests" if kind in ("test", "unit_test") else "models"] += 1
        elif result["status"] != "skipped":
            message = (result["message"] or "no message").strip().replace("\n", " ")
            failed.append(f"{kind} {name} ({message})")
    return Built(passed["models"], passed["tests"], failed)


def _run(request: Request, config: Config) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    environment = {
        **inherited,
        **get_current_settings().to_environment_variables(exclude_unset=True),
        **_warehouse_variables(config.warehouse),
        "DAYBREAK_RAW_SCHEMA": config.warehouse.raw_schema,
        "DO_NOT_TRACK": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tasks.dbt_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=PROJECT.parent,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        with suppress(BrokenPipeError):  # what it died of is in its output
            child.stdin.write(cloudpickle.dumps(request))
            child.stdin.flush()  # and left open: the child takes its end for the end of this run
        return str(child.stdout.read(), errors="replace")


def _warehouse_variables(warehouse: Warehouse) -> dict[str, str]:
    """What dbt/profiles.yml reads."""
    if warehouse.kind == "duckdb":
        return {"DAYBREAK_WAREHOUSE_PATH": str(warehouse.path.resolve())}
    tag = {"run": flow_run.root_flow_run_id, "step": "transform"}
    return {**snowflake_login(warehouse).environment(), "DAYBREAK_QUERY_TAG": json.dumps(tag)}


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if "leaked" not in line]
    return " ".join(told[-3:])[-500:]
