"""`make deploy CONFIG=...`: everything that a Prefect server holds of Daybreak.

The work pools that prefect.yaml names, limits, blocks, deployments and automations. Running it
again brings them up to date and doubles nothing.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.abstract import NotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from tasks.blocks import prefect_server
from tasks.config import Config, load_config
from tasks.errors import ConfigError, DaybreakError
from tasks.notify import load_block
from tasks.register import register
from tasks.workers import make_caps

PROJECT = Path(__file__).parents[1]
DEPLOYMENTS = PROJECT / "deployments"
NOTHING = [{"type": "do-nothing"}]
KINDS = ("process", "docker", "kubernetes")
SUBJECT = "Daybreak: {{ automation.name }}"
BODY = (
    "{{ automation.description }}"
    " {{ flow_run.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
)


def deploy(config: Config, kind: str, project: Path = PROJECT) -> Iterator[str]:
    """Makes or renews each part; yields what it made, never a secret.

    Args:
        kind: Type of the work pools.
        project: The folder of prefect.yaml.

    Raises:
        ConfigError: When a pool is of another type, a block is wrong or prefect.yaml is refused.
        TransientError: When Prefect's server does not answer.
    """
    with prefect_server("deployment"), get_client(sync_client=True) as client:
        for name in pools(project):
            make_pool(client, name, kind)
            yield f"work pool {name}, type {kind}"
        if config.source.block or config.warehouse.block:
            yield from register(config)
        if config.execution == "workers":
            for name, limit in make_caps(client, config).items():
                yield f"limit {name}: {limit}"
        actions = alerts(config)
        check_pull(project, kind)
        make_deployments(project)
        yield "deployments of prefect.yaml"
        for automation in automations(actions):
            make_automation(client, automation)
            yield f"automation {automation.name}"


def pools(project: Path) -> list[str]:
    """The work pools that deployments name."""
    return sorted({each["work_pool"]["name"] for each in _declared(project)["deployments"]})


def _declared(project: Path) -> Any:
    return yaml.safe_load((project / "prefect.yaml").read_text(encoding="utf-8"))


def make_pool(client: SyncPrefectClient, name: str, kind: str) -> None:
    """Creates the pool, or renews its job template.

    Raises:
        ConfigError: When it is of another type.
    """
    template = yaml.safe_load((DEPLOYMENTS / "pools" / f"{kind}.json").read_text(encoding="utf-8"))
    try:
        found = client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
        return
    if found.type != kind:
        raise ConfigError(
            f"The work pool {name} is of type {found.type}, not {kind}.",
            remedy=f"Run `make deploy POOL={found.type}`, or `prefect work-pool delete {name}`"
            " first.",
        )
    # Nothing else of it, which its operators may have set: paused, say, or limited.
    client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def check_pull(project: Path, kind: str) -> None:
    """Keeps containers from looking for the folder that was deployed from, which they lack.

    Raises:
        ConfigError: With the line of prefect.yaml to change.
    """
    declared = _declared(project)
    local = declared.get("definitions", {}).get("local")
    if kind != "process" and local and declared.get("pull") == local:
        raise ConfigError(
            f"Pools of type {kind} run in containers, which have no folder {project}.",
            remedy="In prefect.yaml, write `pull: *image`, or *git.",
        )


def make_deployments(project: Path) -> None:
    """Runs `prefect deploy --all`.

    Raises:
        ConfigError: With its last line, when it refuses.
    """
    command = [str(Path(sys.executable).with_name("prefect")), "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise ConfigError(
            f"prefect deploy --all failed: {' '.join(said)}.", remedy="Correct prefect.yaml."
        )


def alerts(config: Config) -> list[dict[str, Any]]:
    """What automations do to tell somebody; nothing without a notification block.

    A server sends no email from an email-server-credentials block, which is no notification block.
    """
    block = load_block(config.notify) if config.notify else None
    if not isinstance(block, NotificationBlock):
        return []
    assert block._block_document_id is not None
    action = SendNotification(
        block_document_id=block._block_document_id, subject=SUBJECT, body=BODY
    )
    return [action.model_dump(mode="json")]


def automations(actions: list[dict[str, Any]]) -> list[AutomationCore]:
    """Those of deployments/automations.yaml; those that do nothing else take these actions."""
    text = (DEPLOYMENTS / "automations.yaml").read_text(encoding="utf-8")
    return [
        AutomationCore.model_validate(
            each | {"actions": each["actions"] + actions * (each["actions"] == NOTHING)}
        )
        for each in yaml.safe_load(text)["automations"]
    ]


def make_automation(client: SyncPrefectClient, automation: AutomationCore) -> None:
    """Creates the automation, or renews the one of this name."""
    found = client.read_automations_by_name(automation.name)
    for each in found:
        client.update_automation(each.id, automation)
    if not found:
        client.create_automation(automation)


def main(arguments: Sequence[str] | None = None) -> int:
    """Says each thing it made; exits with 2 when something is missing or wrong."""
    parser = argparse.ArgumentParser(prog="make deploy", description="Set up a Prefect server.")
    parser.add_argument("config", type=Path, help="the configuration that runs")
    parser.add_argument("--pool", choices=KINDS, default="process", help="type of the work pools")
    options = parser.parse_args(arguments)
    try:
        for made in deploy(load_config(options.config), options.pool):
            print(f"Made the {made}.")
    except DaybreakError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
