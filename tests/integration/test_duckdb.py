"""What is DuckDB's own: its file, and what lies beside it."""

from pathlib import Path

import psycopg

from tests.conftest import Night, Run, Write, says
from tests.warehouses import DuckDBCopy


def test_the_name_of_the_files_folder_means_nothing(
    source: psycopg.Connection,
    config_file: Write,
    night: Night,
    tmp_path: Path,
) -> None:
    source.execute("create table t (id int primary key, env text, state text)")
    source.execute("insert into t values (1, 'staging', 'ok'), (2, null, 'lost')")
    copy = DuckDBCopy(tmp_path / "env=prod" / "a[1]*" / "w.duckdb")
    rules = {"accepted": {"state": ["ok"]}}
    night(config_file([{"name": "t", "rules": rules}], warehouse=copy.settings))
    assert copy("select id, env, state from raw.t") == [(1, "staging", "ok")]
    assert copy("select row_key from raw.dead_letters") == [('{"id":"2"}',)]


def test_a_folder_that_can_not_be_made_is_said(
    source: psycopg.Connection, config_file: Write, run_daily: Run
) -> None:
    source.execute("create table t (id int primary key)")
    config = config_file([{"name": "t"}], warehouse={"path": "/dev/null/x/w.duckdb"})
    says(run_daily("--config", config), 2, "/dev/null/x can't be made", "warehouse.path")
