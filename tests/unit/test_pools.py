"""Job templates fit their workers and the measured memory; the image installs as make does."""

import asyncio
import json
import re
from contextlib import nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from prefect.context import SettingsContext
from prefect.settings import Settings

from docs.pools import (
    DEFAULTS,
    LIMIT_MB,
    POOLS,
    REQUEST_MB,
    REST_MB,
    TRANSFER_MB,
    WORKERS,
    template,
)
from flows.sync import TABLES_AT_ONCE
from tasks.deploy import KINDS, automations, check_pull
from tasks.errors import ConfigError
from tests.conftest import ROOT

IMAGE = (ROOT / "deployments" / "worker.Dockerfile").read_text(encoding="utf-8")
EVENTS = {"Crashed", "Late", "Pending", "Running", "Completed", "Failed", "Cancelled", "heartbeat"}
EVENTS |= {"AwaitingRetry"}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_what_make_docs_writes(kind: str) -> None:
    assert (POOLS / f"{kind}.json").read_text(encoding="utf-8") == template(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_takes_its_pool_s_template(kind: str, prefect_settings: SettingsContext) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    made = json.loads((POOLS / f"{kind}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(made["variables"])
    jsonschema.Draft202012Validator(made["variables"]).validate(DEFAULTS[kind])
    with prefect_settings:  # else a server is started that nobody stops
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


@pytest.mark.parametrize(("name", "times"), [("extract-load", 1), ("extract-load-big", 2)])
def test_the_run_of_one_table_asks_for_what_one_table_needs(name: str, times: int) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    [asked] = [
        each["work_pool"]["job_variables"]
        for each in declared["deployments"]
        if each["name"] == name
    ]
    request = times * (TRANSFER_MB + REST_MB)
    assert asked["memory_request"] == f"{request}Mi"
    assert asked["container_create_kwargs"]["mem_reservation"] == f"{request}m"
    assert asked["memory_limit"] == f"{2 * request}Mi"
    assert asked["mem_limit"] == f"{2 * request}m"
    known: set[str] = set()
    for kind in KINDS:
        variables = json.loads(template(kind))["variables"]
        jsonschema.Draft202012Validator(variables).validate(asked)
        known |= set(variables["properties"])
    assert set(asked) <= known


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


def test_a_notification_is_sent_once_for_what_happened() -> None:
    told = {"type": "send-notification", "block_document_id": str(uuid4()), "body": "It broke."}
    made = {each.name: [action.type for action in each.actions] for each in automations([told])}
    assert made.pop("daybreak lost") == ["change-flow-run-state"]  # which fires "crashed"
    assert all(actions == ["do-nothing", "send-notification"] for actions in made.values())


@pytest.mark.parametrize(
    ("pull", "kind", "works"),
    [
        ("local", "process", True),
        ("local", "docker", False),
        ("local", "kubernetes", False),
        ("image", "docker", True),
        ("git", "kubernetes", True),
    ],
)
def test_containers_are_not_sent_to_a_folder_that_they_lack(
    pull: str, kind: str, works: bool, tmp_path: Path
) -> None:
    written = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert "\npull: *local " in written
    (tmp_path / "prefect.yaml").write_text(written.replace("pull: *local", f"pull: *{pull}"))
    said = nullcontext() if works else pytest.raises(ConfigError, match=r"write `pull: \*image`")
    with said:
        check_pull(tmp_path, kind)


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
