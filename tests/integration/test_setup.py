"""The set-up scripts: PostgreSQL's is run and a night reads as its role; Snowflake's is parsed."""

import logging

import psycopg
import pytest
import sqlglot
from sqlglot import exp

from tests.conftest import ROOT, Night, Write
from tests.warehouses import Copy

POSTGRES = (ROOT / "deployments" / "postgres_setup.sql").read_bytes()
SNOWFLAKE = ROOT / "deployments" / "snowflake_setup.sql"
# What sqlglot does not model and keeps as text.
NOT_MODELLED = (
    "create resource monitor if not exists",
    "alter warehouse",
    "create role if not exists",
    "create user if not exists",
    "grant role",
    "grant select on",
)


@pytest.fixture
def reader_url(source: psycopg.Connection, source_url: str) -> str:
    """The test's database as the role that the script makes; the script is run twice."""
    source.execute(
        "create table orders (id int primary key, updated_at timestamptz default now());"
        "insert into orders values (1), (2)"
    )
    for _ in range(2):
        source.execute(POSTGRES)
    return source_url.replace("//postgres@", "//daybreak_reader@")


def test_a_night_reads_as_the_role_that_the_script_makes(
    source: psycopg.Connection,
    reader_url: str,
    config_file: Write,
    night: Night,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute("create table later (id int primary key); insert into later values (7)")
    config = config_file(
        [{"name": "orders", "mode": "incremental", "cursor": "updated_at"}, {"name": "later"}]
    )
    monkeypatch.setenv("SOURCE_URL", reader_url)
    night(config)
    assert warehouse("select count(*) from raw.orders") == [(2,)]
    assert warehouse("select id from raw.later") == [(7,)]


def test_the_role_changes_nothing(reader_url: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("insert into orders values (3)")
        session.execute("set default_transaction_read_only = off")
        for statement in ("insert into orders values (3)", "create table mine ()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())


def test_every_statement_of_snowflake_s_script_is_snowflake_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "sqlglot"):  # which warns of what it keeps as text
        statements = sqlglot.parse(SNOWFLAKE.read_text(), dialect="snowflake")
    for statement in statements:
        if isinstance(statement, exp.Command):
            words = f"{statement.this} {statement.expression}".lower().split()
            assert " ".join(words).startswith(NOT_MODELLED)
    assert len(statements) > 25
