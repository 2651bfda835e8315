"""Real parts: a PostgreSQL and a Prefect server a session, a database and files a test."""

import atexit
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from _pytest.mark import ParameterSet
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from prefect.context import SettingsContext, get_settings_context
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_URL, temporary_settings

from tasks.attempt import Outcome
from tasks.config import load_config
from tasks.heartbeat import no_heartbeat
from tasks.server import TemporaryServer
from tasks.source import embedded
from tasks.warehouse.base import Publication, Warehouse
from tests import warehouses
from tests.bench.transfer import transfer
from tests.dialect import not_snowflake
from tests.emulator import Account, Emulator
from tests.recorded import RecordedAccount, recorded_account
from tests.warehouses import Copy, DuckDBCopy, Rows, SnowflakeCopy

ROOT = Path(__file__).parents[1]
Night = Callable[..., None]
Sync = Callable[..., Outcome]
Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
SetVariables = Callable[..., None]
WriteKey = Callable[..., Path]
Stage = Callable[..., Publication]
ON_BOTH = pytest.mark.parametrize("warehouse", ["duckdb", "snowflake"], indirect=True)
SNOWFLAKE_IN_LONG = pytest.mark.parametrize(
    "warehouse", ["duckdb", pytest.param("snowflake", marks=pytest.mark.long)], indirect=True
)
_status = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_status] = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leaves before the interpreter takes its modules down, on which DuckDB's bindings complain."""
    if hasattr(config, "workerinput"):  # whoever started this worker waits for its farewell
        return
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(config.stash.get(_status, pytest.ExitCode.INTERNAL_ERROR))


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that a server's user can reach: each pytest of root closes pytest's own to it."""
    with tempfile.TemporaryDirectory(prefix="daybreak-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """What tmp_path is, for tests whose server's data lie below it."""
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL; make databases of your own in it."""
    with server_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "SETTINGS", (*embedded.SETTINGS, "max_prepared_transactions=5"))
        yield embedded.start(folder)


@pytest.fixture
def source_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    # A connection each, since a test may restart the server.
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def source(source_url: str) -> Iterator[psycopg.Connection]:
    """An autocommit session in the test's database."""
    with closing(psycopg.connect(source_url, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[str]:
    """The API URL of one temporary Prefect server for the whole session."""
    server = TemporaryServer()
    yield server.ready()
    EventsWorker.drain_all(timeout=30)  # which would complain of a server that is gone
    server.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One Snowflake emulator for the whole session; at its end every statement is parsed."""
    server = Emulator(tmp_path_factory.mktemp("snowflake"))
    yield server
    server.kill()
    assert not_snowflake(server.statements()) == []


@pytest.fixture
def snowflake(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with a new database, to which the environment's credentials lead."""
    account = emulator.account()
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    return account


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def key_file(private_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> WriteKey:
    """Writes the private key as PEM, encrypted when a passphrase is given; not in `tmp_path`."""

    def write(passphrase: str = "") -> Path:
        path = tmp_path_factory.mktemp("keys") / "daybreak.p8"
        hidden = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
        return path

    return write


@pytest.fixture
def recorded() -> Iterator[RecordedAccount]:
    """A Snowflake that gives recorded answers, for what the emulator can't refuse."""
    with recorded_account() as account:
        yield account


@pytest.fixture
def login_variables(monkeypatch: pytest.MonkeyPatch, recorded: RecordedAccount) -> SetVariables:
    """Points SNOWFLAKE_* at the recorded account: all but the way in, changed by what is given."""

    def set_variables(**given: str | None) -> None:
        for name in [name for name in os.environ if name.startswith("SNOWFLAKE_")]:
            monkeypatch.delenv(name)
        complete = {
            "ACCOUNT": "acme-test",
            "USER": "loader",
            "ROLE": "DAYBREAK",
            "WAREHOUSE": "DAYBREAK_WH",
            "DATABASE": "DAYBREAK_DB",
            "HOST": "127.0.0.1",
            "PORT": str(recorded.port),
            "PROTOCOL": "http",
        }
        for name, value in (complete | given).items():
            if value is not None:
                monkeypatch.setenv(f"SNOWFLAKE_{name}", value)

    return set_variables


@pytest.fixture
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Copy:
    """The test's warehouse: DuckDB, and in a test marked ON_BOTH each of the two."""
    if getattr(request, "param", "duckdb") == "snowflake":
        return SnowflakeCopy(request.getfixturevalue("snowflake"))
    return DuckDBCopy(tmp_path / "warehouse.duckdb")


@pytest.fixture
def config_file(tmp_path: Path, warehouse: Copy) -> Write:
    """Writes a configuration whose source comes from SOURCE_URL; arguments override its parts."""

    def write(tables: list[dict[str, Any]], **parts: Any) -> Path:
        path = tmp_path / "tables.yaml"
        document = {
            "source": {"url": "${SOURCE_URL}"},
            "warehouse": warehouse.settings,
            "defaults": {"retries": 1, "retry_delay": "1s"},
            "tables": tables,
            **parts,
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Stages rows without a flow: `stage(session, rows, letters)`."""

    def stage(session: Warehouse, rows: Rows, *letters: Rows, **options: Any) -> Publication:
        return warehouses.stage(session, tmp_path, rows, *letters, **options)

    return stage


@pytest.fixture(scope="session")
def certificate(private_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of one certificate; Prefect loads all that the machine trusts for every client."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, private_key.public_key(), 1, now, now)
    path = tmp_path_factory.mktemp("certificates") / "one.pem"
    path.write_bytes(made.sign(private_key, SHA256()).public_bytes(Encoding.PEM))
    return path


@pytest.fixture(scope="session")
def prefect_settings(prefect_api: str, certificate: Path) -> SettingsContext:
    """Those of a night in this process."""
    given = {PREFECT_API_URL: prefect_api, PREFECT_API_SSL_CERT_FILE: str(certificate)}
    with no_heartbeat(), temporary_settings(given) as settings:
        return SettingsContext(profile=get_settings_context().profile, settings=settings)


@pytest.fixture
def night(
    source_url: str,
    prefect_settings: SettingsContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Night]:
    """Runs the daily flow in this process, without dbt unless asked: `night(path, skip_dbt=False)`.

    Raises what the flow raises.
    """
    from flows.daily import daily

    monkeypatch.setenv("SOURCE_URL", source_url)
    monkeypatch.chdir(tmp_path)  # where the page is written

    def run(config: Path, **options: Any) -> None:
        daily(str(config), **{"skip_dbt": True, **options})

    with prefect_settings:
        yield run


@pytest.fixture
def sync(source_url: str, config_file: Write, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """Copies one table as a night does, without Prefect around it: `sync(table, url=...)`.

    Other arguments are those of `transfer`; `parts` are of the configuration.
    """

    def run(
        table: dict[str, Any],
        url: str = source_url,
        parts: dict[str, Any] | None = None,
        **options: Any,
    ) -> Outcome:
        monkeypatch.setenv("SOURCE_URL", url)
        return transfer(load_config(config_file([table], **(parts or {}))), **options)

    return run


@pytest.fixture
def start_flow(source_url: str, prefect_api: str, certificate: Path, tmp_path: Path) -> Start:
    """Starts `python flows/SCRIPT` with arguments, as a user would.

    Its environment is changed by `environment`; other options are those of Popen.
    """

    def start(
        script: str,
        *arguments: str | Path,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        given = {
            "SOURCE_URL": source_url,
            "PREFECT_API_URL": prefect_api,
            "PREFECT_API_SSL_CERT_FILE": str(certificate),
            **(environment or {}),
        }
        return subprocess.Popen(
            [sys.executable, ROOT / "flows" / script, *map(str, arguments)],
            **{
                "cwd": tmp_path,
                "env": {**os.environ, **given},
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                **options,
            },
        )

    return start


@pytest.fixture
def start_daily(start_flow: Start) -> Start:
    """Starts `python flows/daily.py`."""
    return partial(start_flow, "daily.py")


@pytest.fixture
def run_daily(start_daily: Start) -> Run:
    """Runs `python flows/daily.py` to its end, and returns what it said."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return ended(start_daily(*arguments, **options))

    return run


def few_of(cases: Iterable[object], *few: object) -> list[ParameterSet]:
    """Parameters of which only a few are run in the short form of the suite."""
    return [
        pytest.param(
            *(each if isinstance(each, tuple) else (each,)),
            marks=[] if each in few else pytest.mark.long,
        )
        for each in cases
    ]


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """What a process said, once it has ended by itself."""
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def says(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Asserts an exit code, words of the message, and that nobody sees a stack trace."""
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    assert "Traceback" not in told
    assert "leaked" not in told
    for word in words:
        assert word in told
