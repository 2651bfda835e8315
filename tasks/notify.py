"""Who is told of a failed run: an email, or any notification block of Prefect's.

`tell` is a hook for a flow's `on_failure` and `on_crashed`. Retries are of tasks, so a run tells
once, when it has ended; a part of another run leaves it to that. What goes wrong here is logged and
changes nothing of the run's outcome.
"""

import os
import threading
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml
from prefect import Flow
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.actions import SendNotification
from prefect.exceptions import CrashedRun
from prefect.utilities.urls import url_for
from pydantic import ValidationError

from tasks.blocks import prefect_server
from tasks.config import Notify, load_config
from tasks.errors import ConfigError, DaybreakError
from tasks.logs import log

if TYPE_CHECKING:
    from prefect_email import EmailServerCredentials

PROJECT = Path(__file__).parents[1]
#: How long a mail server or webhook may take, before the run ends without it.
ANSWER_SECONDS = 60
#: The automation that tells of crashed runs.
CRASHED = "daybreak crashed"


def tell(
    flow: Flow[..., Any],  # noqa: ARG001 - Prefect passes it by name
    flow_run: FlowRun,
    state: State[Any],
) -> None:
    """Tells whom the run's configuration names: which tables, why, the remedy, and where."""
    if flow_run.parameters.get("run_id"):  # of the run it is a part of
        return
    path = Path(flow_run.parameters.get("config", ""))
    if not path.exists():  # a worker tells of a crashed run from its own folder
        path = PROJECT / path
    try:
        notify = load_config(path).notify
    except DaybreakError:  # which may be why the run failed
        notify = _notify_alone(path)
    if notify is None:
        return
    try:
        block = load_block(notify)
    except DaybreakError as error:
        log.warning("Nobody was told of this failure: %s", error)
        return
    if state.is_crashed() and _server_tells(block):
        return
    subject, body = message(flow_run, state)
    sender = threading.Thread(target=_send, args=(block, notify, subject, body), daemon=True)
    sender.start()
    sender.join(ANSWER_SECONDS)
    if sender.is_alive():
        log.warning("%s: no answer in %s s; goes on without.", notify.block, ANSWER_SECONDS)


def message(flow_run: FlowRun, state: State[Any]) -> tuple[str, str]:
    """Subject and text. Only what we or Prefect word is quoted: the rest may hold secrets."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, DaybreakError | CrashedRun):
        why = "\n\n".join([str(error), *getattr(error, "__notes__", [])])
    else:
        why = f"It ended by {type(error).__name__}. See its log; run it again once that is mended."
    link = url_for("flow-run", flow_run.id) or f"flow run {flow_run.id}"
    name = f"{flow_run.name} ({flow_run.parameters.get('config')})"
    return f"Daybreak: {flow_run.name} {state.name}", f"{name}: {state.name}\n\n{why}\n\n{link}\n"


def load_block(notify: Notify) -> "NotificationBlock | EmailServerCredentials":
    """The configured block.

    Raises:
        ConfigError: When it is missing, of a type that can't notify, or lacks its addresses.
        TransientError: When Prefect's server does not answer.
    """
    from prefect_email import EmailServerCredentials

    label = f"block {notify.block} of notify.block"
    try:
        with prefect_server(label):
            block: Any = Block.load(notify.block)
    except ValidationError:
        raise ConfigError(f"The {label} is not complete.", remedy="Save it anew.") from None
    except (ValueError, RuntimeError):
        raise ConfigError(
            f"Prefect has no {label}.",
            remedy="`prefect block ls` lists those there are; make it in Prefect's UI, or by"
            " `prefect block create TYPE`.",
        ) from None
    if isinstance(block, EmailServerCredentials):
        if not notify.to:
            raise ConfigError(
                f"The {label} sends email, and notify.to names nobody.",
                remedy="List addresses in notify.to.",
            )
        return block
    if isinstance(block, NotificationBlock):
        return block
    raise ConfigError(
        f"The {label} is a {block.get_block_type_name()}, which can't notify.",
        remedy="Name one of type email-server-credentials, slack-webhook, ms-teams-webhook or"
        " another notification block; `prefect block type ls` lists types.",
    )


def _server_tells(block: "NotificationBlock | EmailServerCredentials") -> bool:
    """Whether an automation of `make deploy` tells of crashed runs, since not all reach a hook."""
    if not isinstance(block, NotificationBlock):
        return False
    with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
        return any(
            isinstance(action, SendNotification)
            for automation in client.read_automations_by_name(CRASHED)
            for action in automation.actions
        )
    return False


def _notify_alone(path: Path) -> Notify | None:
    """The setting from a file of which another part is wrong."""
    try:
        part = yaml.safe_load(path.read_text(encoding="utf-8")).get("notify")
        return part and Notify.model_validate(
            yaml.safe_load(os.path.expandvars(yaml.safe_dump(part)))
        )
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        log.warning("Nobody was told of this failure: %s can't be read.", path)
        return None


def _send(
    block: "NotificationBlock | EmailServerCredentials", notify: Notify, subject: str, body: str
) -> None:
    try:
        if isinstance(block, NotificationBlock):
            notifier: Any = block  # whose method is a coroutine where there is a loop
            with notifier.raise_on_failure():
                notifier.notify(body, subject)
        else:
            _email(block, notify, subject, body)
    except Exception as error:  # whatever a block raises, and its text may hold a webhook's URL
        log.warning(
            "Nobody was told of this failure: %s raised %s. Check the block and its server.",
            notify.block,
            type(error).__name__,
        )


def _email(block: "EmailServerCredentials", notify: Notify, subject: str, body: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = notify.sender or block.username or notify.to[0]
    mail["To"] = ", ".join(notify.to)
    mail.set_content(body)
    with block.get_server() as server:
        server.send_message(mail)
