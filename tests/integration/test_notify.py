"""Who is told of a failed night: a real SMTP server and a real webhook, once, and of no retry."""

import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_email import EmailServerCredentials

from flows import extract_load
from tasks.attempt import Attempt
from tasks.config import load_config
from tasks.errors import ConfigError, SyncFailed, TransientError
from tasks.plan import check
from tests.conftest import Night, Write

pytestmark = pytest.mark.usefixtures("table")
TABLES = [{"name": "t"}, {"name": "gone"}]
PASSWORD = "hunter2-hunter2"


class Inbox(Message):
    """Keeps what arrives."""

    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.mails: list[EmailMessage] = []

    def handle_message(self, message: EmailMessage) -> None:  # type: ignore[override]
        self.mails.append(message)


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """A real SMTP server, with its port."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=0)
    controller.start()
    assert controller.server is not None
    yield inbox, controller.server.sockets[0].getsockname()[1]
    controller.stop()


@pytest.fixture
def hook() -> Iterator[tuple[list[str], int]]:
    """A real webhook: the texts that were posted to it, and its port."""
    posted: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield posted, server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def table(source: psycopg.Connection) -> None:
    source.execute("create table t (id int primary key)")
    source.execute("insert into t values (1)")


def email(api: str, port: int) -> dict[str, object]:
    with temporary_settings({PREFECT_API_URL: api}):
        EmailServerCredentials(smtp_server="127.0.0.1", smtp_type="INSECURE", smtp_port=port).save(
            "mail", overwrite=True
        )
    return {
        "block": "email-server-credentials/mail",
        "to": ["data@example.org", "ops@example.org"],
        "sender": "daybreak@example.org",
    }


def webhook(api: str, port: int) -> dict[str, object]:
    with temporary_settings({PREFECT_API_URL: api}):
        CustomWebhookNotificationBlock(
            name="alerts",
            url=f"http://127.0.0.1:{port}/{PASSWORD}",
            json_data={"text": "{{subject}} | {{body}}"},
            allow_private_urls=True,
        ).save("alerts", overwrite=True)
    return {"block": "custom-webhook/alerts"}


def test_a_failed_night_sends_one_email_with_table_reason_remedy_and_link(
    prefect_api: str,
    inbox: tuple[Inbox, int],
    config_file: Write,
    night: Night,
) -> None:
    config = config_file(TABLES, notify=email(prefect_api, inbox[1]))
    with pytest.raises(SyncFailed):
        night(config)
    [mail] = inbox[0].mails
    assert mail["To"] == "data@example.org, ops@example.org"
    assert mail["From"] == "daybreak@example.org"
    assert "Failed" in mail["Subject"]
    text = str(mail.get_payload(decode=True), "utf-8")
    assert "1 of 2 tables failed" in text
    assert "gone: " in text
    assert "The other tables are published; dbt did not run." in text
    assert "/runs/flow-run/" in text


def test_a_retry_that_mends_the_night_tells_nobody(
    prefect_api: str,
    inbox: tuple[Inbox, int],
    config_file: Write,
    night: Night,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[Attempt] = []
    load = extract_load.load

    def lost_once(warehouse: object, attempt: Attempt, extracted: object) -> object:
        tries.append(attempt)
        if len(tries) == 1:
            raise TransientError("The connection was lost.", remedy="Wait.")
        return load(warehouse, attempt, extracted)  # type: ignore[arg-type]

    monkeypatch.setattr(extract_load, "load", lost_once)
    night(config_file([{"name": "t"}], notify=email(prefect_api, inbox[1])))
    assert len(tries) == 2
    assert inbox[0].mails == []


def test_a_webhook_is_told_the_same(
    prefect_api: str,
    hook: tuple[list[str], int],
    config_file: Write,
    night: Night,
) -> None:
    with pytest.raises(SyncFailed):
        night(config_file(TABLES, notify=webhook(prefect_api, hook[1])))
    [text] = hook[0]
    assert "gone: " in text


def test_a_configuration_that_became_wrong_is_told_to_whom_it_names(
    prefect_api: str, hook: tuple[list[str], int], config_file: Write, night: Night
) -> None:
    config = config_file([{"name": "t", "x": "${NOWHERE}"}], notify=webhook(prefect_api, hook[1]))
    with pytest.raises(ConfigError):
        night(config)
    [text] = hook[0]
    assert "environment variable NOWHERE is not set" in text


def test_a_notification_that_fails_leaves_the_outcome_and_tells_no_secret(
    prefect_api: str,
    hook: tuple[list[str], int],
    config_file: Write,
    night: Night,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = config_file(TABLES, notify=webhook(prefect_api, 1))
    with pytest.raises(SyncFailed):
        night(config)
    assert "custom-webhook/alerts raised ConnectError" in caplog.text
    assert PASSWORD not in caplog.text
    assert hook[0] == []


@pytest.mark.parametrize(
    ("notify", "says"),
    [
        ({"block": "slack-webhook/nowhere"}, "Prefect has no block slack-webhook/nowhere"),
        ({"block": "no-such-type/nowhere"}, "Prefect has no block no-such-type/nowhere"),
        ({"block": "secret/plain"}, "which can't notify"),
        ({"block": "email-server-credentials/mail"}, "notify.to names nobody"),
    ],
)
def test_a_block_that_can_not_tell_is_refused_before_the_night(
    notify: dict[str, object],
    says: str,
    source_url: str,
    prefect_api: str,
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_URL", source_url)
    email(prefect_api, 1)
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        Secret(value=PASSWORD).save("plain", overwrite=True)
        with pytest.raises(ConfigError, match=says) as refused:
            check(load_config(Path(config_file([{"name": "t"}], notify=notify))), None)
    assert PASSWORD not in str(refused.value)
