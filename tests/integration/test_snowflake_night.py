"""Whole nights on the emulator, dbt and quality included, and what they leave written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml

from tasks.server import STARTUP_SECONDS
from tasks.source import demo
from tasks.transform import PROJECT
from tests.assets import related, told
from tests.conftest import ROOT, Run, SetVariables, Write, WriteKey, few_of, says
from tests.dialect import not_snowflake, ours
from tests.emulator import Account, Emulator
from tests.recorded import RecordedAccount, refusal

SECRETS = {
    "source": "pl4nted-source",
    "passphrase": "pl4nted-passphrase",
    "password": "pl4nted-password",
}
BLOCKS: dict[str, object] = {
    "source": {"block": "app-db"},
    "warehouse": {"kind": "snowflake", "block": "sf"},
}


@pytest.fixture
def kept_server(tmp_path: Path) -> Iterator[str]:
    """The API URL of a Prefect server whose records stay in a file of the test's."""
    records = f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tasks.server"],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_DATABASE_CONNECTION_URL": records},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "server.log").open("w"),
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().decode().strip()}/api"
    httpx.get(f"{url}/health", timeout=STARTUP_SECONDS).raise_for_status()
    yield url
    server.terminate()
    server.communicate()


@pytest.fixture
def shop(source_url: str) -> str:
    """A small demo shop, whose URL has a password that nobody may see."""
    demo.seed(source_url, 0.02)
    return source_url.replace("postgres@", f"postgres:{SECRETS['source']}@", 1)


def configuration(tmp_path: Path, name: str, **parts: object) -> Path:
    """The demo's tables and thresholds into Snowflake, its parts replaced by those given."""
    document = yaml.safe_load((ROOT / "deployments" / "demo.yaml").read_text())
    document |= {"source": {"url": "${SOURCE_URL}"}, "warehouse": {"kind": "snowflake"}, **parts}
    path = tmp_path / name
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def written(tmp_path: Path, emulator: Emulator) -> Iterator[Path]:
    """Every file that runs wrote: the test's own, dbt's, and what Snowflake was asked."""
    folders = [tmp_path, PROJECT / "target", PROJECT / "logs", emulator.folder]
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Nights:
    """Nights of the demo shop into Snowflake, each with the environment that it needs."""

    folder: Path
    variables: dict[str, str]
    run_daily: Run

    def by_key(self, key: Path) -> subprocess.CompletedProcess[str]:
        """A night that logs in by a private key that variables lead to."""
        variables = {
            "SNOWFLAKE_PASSWORD": "",
            "SNOWFLAKE_PRIVATE_KEY_PATH": str(key),
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": SECRETS["passphrase"],
        }
        config = configuration(self.folder, "key.yaml")
        return self.run_daily("--config", config, environment=self.variables | variables)

    def by_blocks(self, *options: str, **parts: object) -> subprocess.CompletedProcess[str]:
        """A night that has nothing but blocks to log in with."""
        unset = [name for name in os.environ if name.startswith(("SOURCE_URL", "SNOWFLAKE_"))]
        config = configuration(self.folder, "blocks.yaml", **BLOCKS, **parts)
        environment = self.variables | dict.fromkeys(unset, "")
        return self.run_daily("--config", config, *options, environment=environment)

    def register(self) -> subprocess.CompletedProcess[str]:
        """Saves the blocks, of a password."""
        password = {"SNOWFLAKE_PASSWORD": SECRETS["password"]}
        config = configuration(self.folder, "blocks.yaml", **BLOCKS)
        return subprocess.run(
            [sys.executable, "-m", "tasks.register", config],
            cwd=ROOT,
            env={**os.environ, **self.variables, **password},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def nights(tmp_path: Path, shop: str, kept_server: str, run_daily: Run) -> Nights:
    home = {
        "SOURCE_URL": shop,
        "PREFECT_API_URL": kept_server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    return Nights(tmp_path, home, run_daily)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("login", few_of(["key", "blocks"], "key"))
def test_a_night_runs_whole_and_the_next_fails_and_no_secret_is_written_anywhere(
    login: str,
    nights: Nights,
    shop: str,
    snowflake: Account,
    emulator: Emulator,
    kept_server: str,
    key_file: WriteKey,
) -> None:
    registered = nights.register()
    says(registered, 0, "SQLAlchemy Connector block app-db", "Snowflake Connector block sf")
    key = key_file(SECRETS["passphrase"])
    done = nights.by_key(key) if login == "key" else nights.by_blocks()
    says(done, 0, "13 models and 44 tests passed", "quality  PASSED")
    [(orders,)] = snowflake.query("select count(*) from mart.orders")
    assert orders == 2000
    database = f"snowflake://{snowflake.database}"
    [built] = told(kept_server, f"{database}/staging/stg_orders")
    assert related(built, "asset") == {f"{database}/raw/orders"}, "our copy's own key"
    assert told(kept_server, f"{database}/raw/orders")

    demo.pass_a_day(shop, bad=False)
    impossible = [{"relation": "raw.orders", "min_rows": 10**9}]
    failed = nights.by_blocks("--skip-dbt", quality=impossible)
    says(failed, 1, "raw.orders: rows is", "expected at least 1000000000")
    [(later,)] = snowflake.query("select count(*) from raw.orders")
    assert later > orders

    said = "".join(run.stdout + run.stderr for run in (registered, done, failed))
    leaks = [
        str(path) for path in written(nights.folder, emulator) if _holds_a_secret(path.read_bytes())
    ]
    assert not leaks
    assert not _holds_a_secret(said.encode())
    assert (nights.folder / "prefect.db").stat().st_size > 0

    assert any("dbt_version" in text for text in ours(emulator.statements()))
    assert not_snowflake(emulator.statements()) == []


def _holds_a_secret(written: bytes) -> bool:
    return any(secret.encode() in written for secret in SECRETS.values())


def test_a_refused_login_ends_the_command_before_anything_starts(
    source: psycopg.Connection,
    config_file: Write,
    run_daily: Run,
    recorded: RecordedAccount,
    login_variables: SetVariables,
) -> None:
    source.execute("create table t (id int primary key)")
    login_variables(PASSWORD=SECRETS["password"])
    recorded.login = refusal("390100", "08004", "Incorrect username or password was specified.")
    done = run_daily("--config", config_file([{"name": "t"}], warehouse={"kind": "snowflake"}))
    says(done, 2, "Incorrect username or password", "user loader, account acme-test")
    assert SECRETS["password"] not in done.stdout + done.stderr
