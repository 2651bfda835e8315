"""`python flows/daily.py` as a person runs it: what it says, and what it exits with."""

import os
import pwd
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import psycopg
import pytest

from tasks.source.embedded import start
from tests.assets import related, told
from tests.compare import assert_copied
from tests.conftest import ROOT, Run, Write, few_of, says
from tests.warehouses import DuckDBCopy

NOBODY = pwd.getpwnam("nobody")


NOT_THERE = ({"name": "nope"}, ("no table public.nope", "public.t"))
WRONG: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    NOT_THERE,
    ({"name": "t", "mode": "incremental", "cursor": "nope"}, ("cursor names nope",)),
    ({"name": "t", "rules": {"not_null": ["nope"]}}, ("rules.not_null names nope",)),
    ({"name": "t", "rules": {"accepted": {"b": ["x"]}}}, ("accepted.b lists x", "int32")),
    ({"name": "ours"}, ("both _run_id and _run_id", "columns.exclude")),
    ({"name": "cases"}, ("both id and Id", "columns.exclude")),
    ({"name": "keyless", "mode": "incremental", "cursor": "at"}, ("needs a key",)),
    ({"name": "t", "mode": "incremental", "cursor": "b"}, ("append_only: true",)),
]


@pytest.mark.parametrize(("table", "words"), few_of(WRONG, NOT_THERE))
def test_a_table_that_is_not_as_configured_is_refused_before_anything_starts(
    table: dict[str, Any],
    words: tuple[str, ...],
    source: psycopg.Connection,
    config_file: Write,
    run_daily: Run,
) -> None:
    source.execute("create table t (a int primary key, b int, at timestamptz)")
    source.execute("create table keyless (a int, at timestamptz)")
    source.execute('create table ours (_run_id int); create table cases (id int, "Id" int)')
    says(run_daily("--config", config_file([table])), 2, table["name"], *words)


def test_a_wrong_port_is_said_with_the_setting_to_check(config_file: Write, run_daily: Run) -> None:
    done = run_daily(
        "--config",
        config_file([{"name": "t"}]),
        environment={"SOURCE_URL": "postgresql://me:hush@127.0.0.1:1/x"},
    )
    says(done, 2, "127.0.0.1:1", "Check host, port, user, password")
    assert "hush" not in done.stdout + done.stderr


@pytest.fixture
def locked_url(source: psycopg.Connection, source_url: str) -> str:
    """A URL whose role needs a password, with a wrong one in it."""
    source.execute("drop role if exists locked; create role locked login password 'right'")
    [(rules,)] = source.execute("show hba_file").fetchall()
    text = Path(rules).read_text()
    Path(rules).write_text(f"local all locked scram-sha-256\n{text}")
    source.execute("select pg_reload_conf()")
    return source_url.replace("postgres@", "locked:hush@")


def test_a_wrong_password_or_database_is_said_without_the_password(
    locked_url: str, source_url: str, config_file: Write, run_daily: Run
) -> None:
    config = config_file([{"name": "t"}])
    done = run_daily("--config", config, environment={"SOURCE_URL": locked_url})
    says(done, 2, 'password authentication failed for user "locked"', "Check host, port")
    assert "hush" not in done.stdout + done.stderr
    nowhere = source_url.replace("@/t", "@/no_such_")
    done = run_daily("--config", config, environment={"SOURCE_URL": nowhere})
    says(done, 2, 'database "no_such_', "does not exist", "Check host, port")


def test_a_warehouse_that_is_a_folder_is_said(
    source: psycopg.Connection, config_file: Write, run_daily: Run, tmp_path: Path
) -> None:
    source.execute("create table t (a int primary key)")
    config = config_file([{"name": "t"}], warehouse={"path": str(tmp_path)})
    says(run_daily("--config", config), 2, str(tmp_path))


def test_a_server_of_prefects_that_can_not_be_reached_is_said(
    source: psycopg.Connection, config_file: Write, run_daily: Run
) -> None:
    source.execute("create table t (a int primary key)")
    api = "http://127.0.0.1:1/api"
    done = run_daily("--config", config_file([{"name": "t"}]), environment={"PREFECT_API_URL": api})
    says(done, 2, f"Prefect's server {api} can't be reached", "PREFECT_API_URL")


def test_a_mistake_is_said_before_prefects_server_is_imported_or_started(
    config_file: Write, run_daily: Run
) -> None:
    said = {"PYTHONPROFILEIMPORTTIME": "1", "PREFECT_API_URL": "", "SOURCE_URL": ""}
    done = run_daily("--config", config_file([{"name": "t"}]), environment=said)
    assert done.returncode == 2
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "prefect" in imported
    assert not imported & {"prefect.server.api.server", "dbt", "prefect_dbt", "snowflake.connector"}


def test_a_newcomers_night_needs_no_server_and_ends_without_a_word_of_it(
    source: psycopg.Connection, config_file: Write, run_daily: Run
) -> None:
    source.execute("create table t (a int primary key); insert into t values (1)")
    config = config_file([{"name": "t"}])
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1")
    alone = {"PREFECT_API_URL": "", "NO_PROXY": "", "no_proxy": "example.com", **proxies}
    done = run_daily("--config", config, "--skip-dbt", environment=alone)
    says(done, 0, "t: 1 rows published")
    assert done.stderr == ""


def may_run_as(user: pwd.struct_passwd) -> bool:
    """Whether this process can become the user, and the user may read the interpreter."""
    try:
        done = subprocess.run([sys.executable, "-c", ""], user=user.pw_uid, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(
    not may_run_as(NOBODY), reason="no user here to become who may read the interpreter"
)
def test_an_ordinary_user_runs_a_night_of_the_demo(run_daily: Run) -> None:
    with TemporaryDirectory() as folder:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
        config = Path(folder) / "demo.yaml"
        demo = (ROOT / "deployments" / "demo.yaml").read_text()
        config.write_text(demo.replace(".daybreak/", f"{folder}/.daybreak/"))
        config.chmod(0o644)
        done = run_daily(
            "--config",
            config,
            "--skip-dbt",
            "--skip-quality",
            environment={"DAYBREAK_DEMO_SCALE": "0.01", "HOME": folder},
            user=NOBODY.pw_uid,
            group=NOBODY.pw_gid,
            extra_groups=[],
        )
        says(done, 0, "orders: 1,000 rows published")


def test_a_missing_variable_is_said_with_its_line(config_file: Write, run_daily: Run) -> None:
    config = config_file([{"name": "t"}])
    done = run_daily("--config", config, environment={"SOURCE_URL": ""})
    says(done, 2, f"{config}:2", "SOURCE_URL")


UNKNOWN_TABLE = (("--tables", "u"), "No table u is configured")
ARGUMENTS = [
    UNKNOWN_TABLE,
    (("--tables", ""), "--tables: expected names"),
    (("--bad-day",), "--bad-day is the demo's"),
    (("--config", "nowhere.yaml"), "nowhere.yaml"),
]


@pytest.mark.parametrize(("arguments", "words"), few_of(ARGUMENTS, UNKNOWN_TABLE))
def test_arguments_that_lead_nowhere_are_refused(
    arguments: tuple[str, ...], words: str, config_file: Write, run_daily: Run
) -> None:
    says(run_daily("--config", config_file([{"name": "t"}]), *arguments), 2, words)


def test_a_warehouse_that_another_process_owns_is_said_and_the_next_run_works(
    source: psycopg.Connection, config_file: Write, run_daily: Run, tmp_path: Path
) -> None:
    source.execute("create table t (a int primary key); insert into t values (1)")
    config = config_file([{"name": "t"}])
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")):
        says(run_daily("--config", config, "--skip-dbt"), 2, "open in another process", "PID")
    says(run_daily("--config", config, "--skip-dbt"), 0, "t: 1 rows published")


KEYS = {
    "users": "user_id",
    "products": "product_id",
    "orders": "order_id",
    "transactions": "transaction_id",
}
BROKEN = """
customer_id is null or status not in ('placed', 'shipped', 'delivered', 'returned')
"""
# The late shopper wrote last, and what it wrote is not in the night's snapshot.
LATE = "xmin::text::bigint = (select max(xmin::text::bigint) from orders)"


def assert_demo_copied(shop: str, file: Path) -> None:
    """Every value of every table but the late shopper's and the dead letters, which are as due."""
    with psycopg.connect(shop) as source, duckdb.connect(str(file), read_only=True) as copy:
        letters = {
            row[0]
            for row in copy.execute(
                "select json_extract_string(row_key, '$.order_id')::bigint from raw.dead_letters"
                " where closed_at is null"
            ).fetchall()
        }
        broken = f"select order_id from orders where ({BROKEN}) and not {LATE}"
        assert {row[0] for row in source.execute(broken.encode())} == letters
        for table, key in KEYS.items():
            late = source.execute(f"select {key} from {table} where {LATE}".encode()).fetchall()
            held_back = {row[0] for row in late} | (letters if table == "orders" else set())
            listed = ", ".join(f"'{one}'" for one in held_back)
            where = f"{key} not in ({listed})" if held_back else "true"
            assert assert_copied(shop, table, DuckDBCopy(file), where) > 0


def test_the_demo_runs_two_nights_and_fails_on_a_bad_day(
    run_daily: Run, open_path: Path, prefect_api: str
) -> None:
    demo = (ROOT / "deployments" / "demo.yaml").read_text()
    config = open_path / "demo.yaml"
    config.write_text(demo.replace(".daybreak/", f"{open_path}/.daybreak/"))
    file = open_path / ".daybreak" / "warehouse.duckdb"
    shop = start(open_path / ".daybreak" / "source")
    scale = {"DAYBREAK_DEMO_SCALE": "0.05"}
    for _ in range(2):
        done = run_daily("--config", config, environment=scale)
        says(done, 0, "quality  PASSED (no issues detected)", "models and")
        assert done.stderr == ""
        assert_demo_copied(shop, file)
    with duckdb.connect(str(file), read_only=True) as session:
        counted = session.execute(
            "select (select count(*) from raw.orders), (select count(*) from mart.orders)"
        ).fetchone()
    assert counted is not None and counted[0] == counted[1] > 5000
    for event in told(prefect_api, "duckdb://warehouse/staging/stg_orders", least=2):
        assert related(event, "asset") == {"duckdb://warehouse/raw/orders"}, "our copy's own key"
    assert told(prefect_api, "duckdb://warehouse/raw/orders", least=2)
    says(
        run_daily("--config", config, "--bad-day", environment=scale),
        1,
        "mart.customers: null ratio country",
        "expected at most 0.1",
    )
