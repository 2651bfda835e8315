"""Job templates fit their workers and the measured memory; the image installs as make does."""

import asyncio
import json
import re

import pytest
from prefect.settings import Settings

from docs.pools import DEFAULTS, LIMIT_MB, POOLS, REQUEST_MB, WORKERS, template
from flows.sync import TABLES_AT_ONCE
from tasks.deploy import KINDS, automations
from tests.conftest import ROOT

IMAGE = (ROOT / "deployments" / "worker.Dockerfile").read_text(encoding="utf-8")
EVENTS = {"Crashed", "Late", "Pending", "Running", "Completed", "Failed", "Cancelled", "heartbeat"}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_what_make_docs_writes(kind: str) -> None:
    assert (POOLS / f"{kind}.json").read_text(encoding="utf-8") == template(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_takes_its_pool_s_template(kind: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    made = json.loads((POOLS / f"{kind}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(made["variables"])
    jsonschema.Draft202012Validator(made["variables"]).validate(DEFAULTS[kind])
    taken = WORKERS[kind].job_configuration.from_template_and_values(made, {})
    job = asyncio.run(taken).model_dump(mode="json")
    assert "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" in json.dumps(job["env"])
    if kind == "docker":
        assert job["mem_limit"] == f"{LIMIT_MB}m"
    if kind == "kubernetes":
        assert f'"memory": "{REQUEST_MB}Mi"' in json.dumps(job["job_manifest"])


def test_memory_is_enough_for_all_tables_at_once() -> None:
    assert REQUEST_MB >= 500 * TABLES_AT_ONCE
    assert f"{REQUEST_MB:,} MB" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_setting_that_gives_signs_is_prefect_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
    assert Settings().flows.heartbeat_frequency == 30


def test_automations_are_as_prefect_understands_them() -> None:
    made = {each.name: each for each in automations([])}
    assert list(made) == [
        "daybreak crashed",
        "daybreak late",
        "daybreak lost",
        "daybreak too long",
    ]
    assert all(each.actions for each in made.values())
    written = (ROOT / "deployments" / "automations.yaml").read_text(encoding="utf-8")
    for event in re.findall(r"prefect\.flow-run\.(\w+)\b", written):
        assert event in EVENTS


def test_the_image_copies_what_is_there_and_every_folder_that_runs() -> None:
    copied = [line.split()[1:] for line in IMAGE.splitlines() if line.startswith("COPY")]
    paths = [path for words in copied for path in words[:-1] if not path.startswith("--")]
    assert all((ROOT / path).exists() for path in paths)
    assert {"flows", "tasks", "dbt", "deployments", "prefect.yaml"} <= set(paths)


def test_the_image_installs_as_make_does_and_does_not_run_as_root() -> None:
    joined = " ".join(IMAGE.replace("\\\n", " ").split())
    for step in (
        "--require-hashes --compile-bytecode requirements.lock",
        "--no-deps --no-build-isolation -e .",
        "compileall -q flows tasks",
        "--no-python-downloads",
    ):
        assert step in " ".join(MAKEFILE.split())
        assert step in joined
    users = re.findall(r"^USER (\w+)", IMAGE, re.MULTILINE)
    assert users and users[-1] != "root"
    assert IMAGE.index("USER ") < IMAGE.index("COPY ")
