"""Who is told of a failed night: a real mail server and a real webhook, once, and of no retry."""

from collections.abc import Iterator

import psycopg
import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_email import EmailServerCredentials

from flows.quality import quality
from tasks.config import load_config
from tasks.errors import ConfigError, DataQualityError, SyncFailed, TransientError
from tasks.plan import check
from tests.conftest import Night, Write
from tests.faults.steps import STEPS, once, strike
from tests.receivers import PASSWORD, Hook, Inbox, mail_server, webhook, webhook_block

pytestmark = pytest.mark.usefixtures("table", "api")
TABLES = [{"name": "t"}, {"name": "gone"}]


@pytest.fixture
def api(prefect_api: str) -> Iterator[None]:
    """Blocks are saved where nights load them."""
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        yield


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with mail_server() as receiver:
        yield receiver


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture
def table(source: psycopg.Connection) -> None:
    source.execute("create table t (id int primary key)")
    source.execute("insert into t values (1)")


def email_block(port: int) -> dict[str, object]:
    """Saves a block that mails to the port; the setting that names it."""
    EmailServerCredentials(smtp_server="127.0.0.1", smtp_type="INSECURE", smtp_port=port).save(
        "mail", overwrite=True
    )
    return {
        "block": "email-server-credentials/mail",
        "to": ["data@example.org", "ops@example.org"],
        "sender": "daybreak@example.org",
    }


def test_a_failed_night_is_mailed_once_with_its_tables_the_remedy_and_a_link(
    inbox: Inbox, config_file: Write, night: Night
) -> None:
    with pytest.raises(SyncFailed):
        night(config_file(TABLES, notify=email_block(inbox.port)))
    [mail] = inbox.mails
    assert mail["To"] == "data@example.org, ops@example.org"
    assert mail["From"] == "daybreak@example.org"
    assert "Failed" in mail["Subject"]
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    text = body.decode()
    assert "1 of 2 tables failed" in text
    assert "gone: " in text
    assert "The other tables are published; dbt did not run." in text
    assert "cost: " in text
    assert "/runs/flow-run/" in text


def test_a_retry_that_mends_the_night_tells_nobody(
    inbox: Inbox, config_file: Write, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def lose_the_connection() -> None:
        tries.append(1)
        raise TransientError("The connection was lost.", remedy="Wait.")

    strike(STEPS["all read"], once(lose_the_connection), monkeypatch.setattr)
    night(config_file([{"name": "t"}], notify=email_block(inbox.port)))
    assert len(tries) == 1
    assert inbox.mails == []


def test_a_webhook_is_told_the_same(hook: Hook, config_file: Write, night: Night) -> None:
    with pytest.raises(SyncFailed):
        night(config_file(TABLES, notify=webhook_block(hook)))
    [text] = hook.posted
    assert "gone: " in text


@pytest.mark.parametrize("alone", [False, True])
def test_a_breach_is_told_once_whether_quality_runs_in_a_night_or_alone(
    alone: bool, hook: Hook, config_file: Write, night: Night
) -> None:
    tables, few = [{"name": "t"}], [{"relation": "raw.t", "sql": {"any": "select id from raw.t"}}]
    night(config_file(tables))
    config = config_file(tables, quality=few, notify=webhook_block(hook))
    with pytest.raises(DataQualityError):
        quality(str(config)) if alone else night(config)
    [text] = hook.posted
    assert "raw.t: sql any is 1, expected" in text


def test_a_configuration_that_became_wrong_is_told_to_whom_it_names(
    hook: Hook, config_file: Write, night: Night
) -> None:
    config = config_file([{"name": "t", "x": "${NOWHERE}"}], notify=webhook_block(hook))
    with pytest.raises(ConfigError):
        night(config)
    [text] = hook.posted
    assert "environment variable NOWHERE is not set" in text


def test_a_notification_that_fails_leaves_the_outcome_and_tells_no_secret(
    config_file: Write, night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = Hook(port=1)
    with pytest.raises(SyncFailed):
        night(config_file(TABLES, notify=webhook_block(nobody)))
    assert "custom-webhook/alerts raised ConnectError" in caplog.text
    assert PASSWORD not in caplog.text


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
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_URL", source_url)
    email_block(1)
    Secret(value=PASSWORD).save("plain", overwrite=True)
    with pytest.raises(ConfigError, match=says) as refused:
        check(load_config(config_file([{"name": "t"}], notify=notify)), None)
    assert PASSWORD not in str(refused.value)
