"""The analysis of databases that nobody prepared for it, and the file that it writes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.analyze import analyze, parts_of, write
from tasks.config import Config
from tasks.errors import ConfigError, PermanentError, TransientError
from tasks.source import survey
from tasks.transfer import advice
from tasks.transfer.advice import Advice
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Run, Start, Write, ended, says
from tests.integration.test_real_data import PUBLIC, pgbench, public_tables
from tests.many_tables import SCHEMA, make_many
from tests.warehouses import Copy

__all__ = ["public_tables"]
Analyze = Callable[..., dict[str, Advice]]
LARGE = "insert into {} select g, now() from generate_series(1, 100) g"
MOVES = """
create function stamp() returns trigger language plpgsql as
$$ begin new.touched := clock_timestamp(); return new; end $$;
create table moved (id int primary key, touched timestamptz, created_at timestamptz default now());
create index on moved (touched);
create index on moved (created_at);
create trigger stamps before update on moved for each row execute function stamp();
"""


@pytest.fixture
def analyzed(source_url: str, monkeypatch: pytest.MonkeyPatch) -> Analyze:
    """Analyses the test's database as if all of its tables were large; the advices by name."""
    monkeypatch.setattr(advice, "SMALL", -1)

    def run(
        schemas: list[str] | None = None, url: str = source_url, whole: bool = False
    ) -> dict[str, Advice]:
        config = Config.model_validate({"source": {"url": url}, "tables": [{"name": "any"}]})
        found = analyze.fn(config, schemas, whole)
        return {each.name: each for each in found.advices}

    return run


def settings(found: Advice) -> dict[str, Any]:
    assert found.settings is not None, found.left_out
    return found.settings


@SNOWFLAKE_IN_LONG
@pytest.mark.usefixtures("public_tables")
def test_what_the_analysis_writes_runs_to_a_green_night(
    source_url: str,
    start_flow: Start,
    run_daily: Run,
    config_file: Write,
    tmp_path: Path,
    warehouse: Copy,
) -> None:
    pgbench(source_url, "--initialize", "--scale=1")
    written = tmp_path / "written.yaml"
    into = ("--config", config_file([{"name": "any"}]), "--output", written)
    done = ended(start_flow("analyze_source.py", *into))
    says(done, 0, "10 of 10 relations to copy", f"written  {written}")
    assert "${SOURCE_URL}" in written.read_text()
    says(run_daily("--config", written, "--skip-dbt"), 0)
    for name in [*PUBLIC, "pgbench_accounts"]:
        assert_copied(source_url, name, warehouse)
    says(ended(start_flow("analyze_source.py", *into)), 2, "is there already")


def test_a_cursor_that_a_trigger_moves_is_chosen_with_what_speaks_for_and_against_each(
    source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute(MOVES)
    found = analyzed()["moved"]
    assert settings(found) == {"name": "moved", "mode": "incremental", "cursor": "touched"}
    assert found.reason == "what changed by touched: the trigger stamps moves it, an index"
    told = "\n".join(found.remarks)
    assert "cursor created_at: for it an index; against it tells when a row was made" in told


@pytest.mark.parametrize(
    ("server", "kind", "chosen"),
    [
        ({"zone": "Europe/Berlin"}, "timestamp", {"cursor_timezone": "Europe/Berlin", "lag": "1h"}),
        ({"zone": "Asia/Kolkata"}, "timestamp", {"cursor_timezone": "Asia/Kolkata"}),
        ({"standby": True}, "timestamptz", {"lag": "1h"}),
        ({"sees_all": False}, "timestamptz", {"lag": "1h"}),
    ],
)
def test_a_cursor_gets_the_zone_and_the_lag_that_its_server_makes_necessary(
    server: dict[str, Any],
    kind: str,
    chosen: dict[str, str],
    source: psycopg.Connection,
    analyzed: Analyze,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(f"create table t (id int primary key, updated_at {kind})".encode())
    real = survey.server
    monkeypatch.setattr("tasks.analyze.server", lambda session: replace(real(session), **server))
    assert settings(analyzed()["t"]) == {
        "name": "t",
        "mode": "incremental",
        "cursor": "updated_at",
        **chosen,
    }


@pytest.mark.parametrize(
    ("columns", "mode", "why"),
    [
        ("id int primary key, updated_at timestamptz", "incremental", "what changed by updated_at"),
        ("id int, updated_at timestamptz", "full_refresh", "no cursor that is sure to move"),
        ("id int primary key, note text", "full_refresh", "no cursor"),
        ("id numeric primary key, updated_at timestamptz", "full_refresh", "no cursor"),
        ("id int not null unique, updated_at timestamptz", "incremental", "what changed"),
    ],
)
def test_a_mode_is_recommended_that_the_table_can_be_copied_by(
    columns: str, mode: str, why: str, source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute(f"create table t ({columns})".encode())
    found = analyzed()["t"]
    assert settings(found)["mode"] == mode
    assert found.reason.startswith(why)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("numeric(10,2)", "'NaN'"),
        ("date", "'infinity'"),
        ("timestamptz", "'0044-03-15 BC'"),
        ("time", "'24:00'"),
    ],
)
def test_a_column_with_values_that_no_copy_can_hold_is_counted_and_copied_as_text(
    type_: str, value: str, source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute(f"create table t (id int primary key, v {type_})".encode())
    source.execute(f"insert into t values (1, {value}), (2, null)".encode())
    found = analyzed()["t"]
    assert settings(found)["columns"] == {"as": {"v": "text"}}
    assert "v: 1 values of the sample don't fit its type" in found.remarks[0]


def test_digits_of_a_numeric_without_any_are_measured(
    source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute("create table t (id int primary key, v numeric)")
    source.execute("insert into t values (1, 12345.678), (2, -1)")
    assert "{as: {v: numeric(12,3)}}" in analyzed()["t"].remarks[0]


def test_what_can_not_be_read_is_said_and_the_rest_goes_on(
    source: psycopg.Connection, source_url: str, analyzed: Analyze
) -> None:
    source.execute("create role looker login")
    try:
        for name in ("free", "locked", "secret", "hidden"):
            source.execute(f"create table {name} (id int primary key)".encode())
        source.execute("grant select on free, locked, hidden to looker")
        source.execute("alter table hidden enable row level security")
        source.execute(
            "create function lost() returns int language plpgsql as $$ begin return gone(); end $$"
        )
        source.execute("create view broken as select lost() as n")
        source.execute("grant select on broken to looker")
        with psycopg.connect(source_url) as other:
            other.execute("lock table locked")
            found = analyzed(url=source_url.replace("postgres@", "looker@"))
    finally:
        source.execute("drop owned by looker; drop role looker")
    assert settings(found["free"])["mode"] == "full_refresh"
    assert "function gone() does not exist" in found["broken"].left_out
    assert "permission denied for table secret" in found["secret"].left_out
    assert "GRANT SELECT" in found["secret"].left_out
    assert "Row-level security hides rows" in found["hidden"].left_out
    assert "lock timeout" in found["locked"].left_out + "".join(found["locked"].remarks)


def test_two_tables_of_one_name_are_held_apart(
    source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute("create table t (id int primary key); create schema other")
    source.execute("create table other.t (id int primary key)")
    found = analyzed()
    assert "Its copy would be that of" in "".join(each.left_out for each in found.values())
    assert [each.settings is None for each in found.values()] == [False, True]


def test_of_a_large_table_only_a_sample_is_read(
    source: psycopg.Connection, analyzed: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page holds about 220 of these rows."""
    source.execute("create table t (id int primary key)")
    source.execute("insert into t select generate_series(1, 200000)")
    monkeypatch.setattr(survey, "SAMPLE_PAGES", 9)
    read: list[int] = []
    whole = survey.survey

    def spied(*arguments: Any) -> survey.Surveyed:
        found = whole(*arguments)
        assert found.sample is not None
        read.append(found.sample["rows"])
        return found

    monkeypatch.setattr("tasks.analyze.survey", spied)
    analyzed()
    assert 0 < read[0] <= 9 * 3 * 230


def pages_read(server: psycopg.Connection, table: str) -> int:
    server.execute("select pg_stat_force_next_flush()")
    server.execute("select pg_stat_clear_snapshot()")
    found = server.execute(
        "select heap_blks_read + heap_blks_hit + coalesce(toast_blks_read + toast_blks_hit, 0)"
        " from pg_statio_user_tables where relname = %s",
        [table],
    ).fetchone()
    assert found is not None
    return int(found[0])


def test_of_a_large_table_no_more_is_read_through_views_or_out_of_line(
    source: psycopg.Connection, analyzed: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "SAMPLE_PAGES", 9)
    source.execute(
        "create table docs (id int primary key, body jsonb) with (autovacuum_enabled = off)"
    )
    source.execute("alter table docs alter body set storage external")
    source.execute(
        "insert into docs select g, to_jsonb(repeat('x', 9000)) from generate_series(1, 900) g"
    )
    source.execute("create view counted as select body, count(*) as n from docs group by body")
    source.execute("create materialized view kept as select * from docs")
    before = {name: pages_read(source, name) for name in ("docs", "kept")}
    found = analyzed()
    for name, pages in before.items():
        assert pages_read(source, name) - pages <= 3 * 9
    assert found["docs"].bytes > 8_000_000
    assert found["kept"].bytes > 9 * 8192
    assert "what it reads is large" in "".join(found["counted"].remarks)


def test_rows_that_the_server_never_counted_are_estimated_from_the_sample(
    source: psycopg.Connection, analyzed: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.execute("create table t (id int primary key) with (autovacuum_enabled = off)")
    source.execute("insert into t select generate_series(1, 200000)")
    monkeypatch.setattr(survey, "SAMPLE_PAGES", 90)
    rows = analyzed()["t"].rows
    assert rows is not None
    assert 100_000 < rows < 300_000


def test_a_trigger_that_guards_a_column_is_no_proof_that_it_moves(
    source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute(MOVES.replace("new.touched := clock_timestamp();", "new.touched = old.touched;"))
    assert settings(analyzed()["moved"])["mode"] == "full_refresh"


def test_statistics_that_are_younger_than_the_rows_prove_no_growth(
    source: psycopg.Connection, analyzed: Analyze
) -> None:
    source.execute("create table t (id int primary key) with (autovacuum_enabled = off)")
    source.execute("insert into t select generate_series(1, 1000)")
    source.execute("analyze t")
    source.execute("select pg_stat_force_next_flush()")
    assert settings(analyzed()["t"]).get("append_only")
    source.execute("select pg_stat_reset()")
    source.execute("insert into t values (0)")
    source.execute("select pg_stat_force_next_flush()")
    assert settings(analyzed()["t"])["mode"] == "full_refresh"


def test_names_that_files_and_terminals_read_otherwise_are_told_as_they_are(
    source: psycopg.Connection, start_flow: Start, tmp_path: Path
) -> None:
    source.execute('create table "[/red]" (id int primary key, "a (b" text)')
    source.execute('create table "a.b" (id int primary key)')
    written = tmp_path / "written.yaml"
    done = ended(start_flow("analyze_source.py", "--output", written))
    says(done, 0, "1 of 2 relations to copy", "[/red]", "a.b: Its name holds a dot")
    assert "name: '[/red]'" in written.read_text()


def test_a_session_that_is_lost_ends_the_analysis(
    source: psycopg.Connection, analyzed: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.execute("create table a (id int primary key); create table b (id int primary key)")
    whole = survey.survey

    def struck(session: psycopg.Connection, *arguments: Any) -> survey.Surveyed:
        source.execute("select pg_terminate_backend(%s)", [session.info.backend_pid])
        return whole(session, *arguments)

    monkeypatch.setattr("tasks.analyze.survey", struck)
    with pytest.raises(TransientError):
        analyzed()


def test_whole_tables_are_read_however_long_it_takes(
    source: psycopg.Connection, analyzed: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample of so slow a view ends after the statement's time, and all of it does not."""
    source.execute("create table t (id int primary key); insert into t values (1)")
    source.execute("create view slow as select id, pg_sleep(0.5)::text as slept from t")
    monkeypatch.setattr(survey, "STATEMENT_TIMEOUT", "200ms")
    assert "statement timeout" in "".join(analyzed(["public"])["slow"].remarks)
    assert analyzed(["public"], whole=True)["slow"].remarks == []


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("${SOURCE_URL}", "${SOURCE_URL}"),
        ("postgresql://app:${PASSWORD}@db/shop", "postgresql://app:${PASSWORD}@db/shop"),
        ("postgresql://app@db:5432/shop", "postgresql://app@db:5432/shop"),
        ("postgresql://db:5432/shop", "postgresql://db:5432/shop"),
        ("postgresql://app:hunter2@db/shop", "${SOURCE_URL}"),
        ("postgresql://app:hunter2@${HOST}/shop", "${SOURCE_URL}"),
        ("host=db password=hunter2", "${SOURCE_URL}"),
        ("postgresql://db/shop?password=hunter2", "${SOURCE_URL}"),
    ],
)
def test_a_password_is_never_written(given: str, written: str, tmp_path: Path) -> None:
    config = tmp_path / "tables.yaml"
    config.write_text(f"source: {{url: '{given}'}}\ntables: [{{name: any}}]\n")
    assert parts_of(config)["source"] == {"url": written}


def test_an_empty_database_is_said(analyzed: Analyze) -> None:
    with pytest.raises(ConfigError, match=r"The source has no relation that .* can see"):
        analyzed()


def test_a_database_of_which_nothing_can_be_copied_is_said_and_no_file_written(
    source: psycopg.Connection, start_flow: Start, tmp_path: Path
) -> None:
    source.execute("create view v as select 1 as n")
    written = tmp_path / "written.yaml"
    done = ended(start_flow("analyze_source.py", "--output", written))
    says(done, 1, "v: A view", "None of 1 relations can be copied")
    assert not written.exists()


def test_a_database_of_which_nothing_can_be_read_is_said_table_by_table(
    source: psycopg.Connection, source_url: str
) -> None:
    source.execute("create table a (id int primary key); create table b (id int)")
    source.execute("create role nobody_reads login")
    try:
        config = {"source": {"url": source_url.replace("postgres@", "nobody_reads@")}}
        found = analyze.fn(
            Config.model_validate({**config, "tables": [{"name": "any"}]}), None, whole=False
        )
    finally:
        source.execute("drop owned by nobody_reads; drop role nobody_reads")
    assert all("permission denied" in each.left_out for each in found.advices)
    with pytest.raises(PermanentError, match="None of 2 relations can be copied"):
        write(found, config, None)


def test_an_unknown_schema_is_said(start_flow: Start, tmp_path: Path) -> None:
    done = ended(
        start_flow("analyze_source.py", "--schemas", "nowhere", "--output", tmp_path / "y")
    )
    says(done, 1, "The source has no relation in nowhere")


@ON_BOTH
@pytest.mark.long
def test_a_schema_of_200_tables_with_every_trap_runs_by_what_the_analysis_wrote(
    source: psycopg.Connection,
    start_flow: Start,
    run_daily: Run,
    config_file: Write,
    tmp_path: Path,
    warehouse: Copy,
) -> None:
    make_many(source, 200)
    written = tmp_path / "written.yaml"
    into = ("--config", config_file([{"name": "any"}]), "--output", written)
    says(ended(start_flow("analyze_source.py", *into)), 0, "200 of 200 relations")
    says(run_daily("--config", written, "--skip-dbt"), 0)
    assert warehouse("select count(*) from raw.sync_runs where outcome = 'published'") == [(200,)]


@pytest.mark.long
def test_5000_tables_are_analysed(source: psycopg.Connection, analyzed: Analyze) -> None:
    make_many(source, 5000, rows=1)
    assert len(analyzed([SCHEMA])) == 5000
