"""What is Snowflake's own: lost answers, names, leftovers, tags, and its dialect."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlglot
from sqlglot import exp

from tasks.errors import PermanentError
from tasks.transfer.files import StagingFile
from tasks.transfer.types import Field, Kind
from tasks.warehouse import snowflake_staging
from tasks.warehouse.base import Staged
from tasks.warehouse.ledger import Ledger
from tasks.warehouse.tables import TABLES
from tests.conftest import Night, Stage, Write
from tests.dialect import ours
from tests.emulator import Emulator
from tests.warehouses import FIELDS, RUN, Copy, SnowflakeCopy, opened

pytestmark = pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)


def test_two_tables_publish_at_once_and_one_that_fails_leaves_the_other_whole(
    warehouse: Copy, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_begun = threading.Barrier(2, timeout=30)
    publish_letters = Ledger.publish_letters

    def and_wait(*values: Any, **options: Any) -> None:
        publish_letters(*values, **options)
        both_have_begun.wait()

    monkeypatch.setattr(Ledger, "publish_letters", and_wait)
    with opened(warehouse) as one, opened(warehouse) as other, ThreadPoolExecutor() as pool:
        one.prepare()
        good = stage(one, [(1, "a")], table="good")
        bad = stage(other, [(1, "a")], table="bad")
        bad = replace(bad, record={**bad.record, "finished_at": None})
        runs = [pool.submit(one.publish, [good]), pool.submit(other.publish, [bad])]
        assert runs[0].result()
        with pytest.raises(PermanentError, match=r"(?i)finished_at"):
            runs[1].result()
        assert (one.state("good").version, one.state("bad").version) == (1, 0)
    assert warehouse("select id, note from raw.good") == [(1, "a")]
    assert warehouse("select count(*) from raw.bad") == [(0,)]
    assert warehouse("select table_name from raw.sync_runs") == [("good",)]


def test_a_column_that_is_new_is_added_and_one_that_is_gone_is_null(
    warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")])])
        fields = [FIELDS[0], Field("added", Kind.JSON)]
        assert session.publish([stage(session, [(1, '{"b": 2}')], fields=fields)])
    assert warehouse("select id, note, added:b::int from raw.t") == [(1, None, 2)]


def test_a_column_of_another_type_is_refused_with_the_statement_that_helps(
    warehouse: Copy, stage: Stage
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        assert session.publish([stage(session, [(1, "a")])])
        changed = stage(session, [(1, True)], fields=[FIELDS[0], Field("note", Kind.BOOLEAN)])
        with pytest.raises(PermanentError, match=r"VARCHAR.*BOOLEAN") as refused:
            session.publish([changed])
    assert refused.value.remedy.startswith('ALTER TABLE "RAW"."T" DROP COLUMN "NOTE";')
    assert warehouse("select note from raw.t") == [("a",)]


def test_a_copy_that_does_not_come_to_what_was_written_is_refused(
    warehouse: Copy, tmp_path: Path
) -> None:
    staged = Staged("t", "0123456789ab", RUN, FIELDS, datetime.now(UTC))
    path = tmp_path / "rows" / "0-000000.parquet"
    path.parent.mkdir()
    pl.DataFrame({"id": [1], "note": ["a"]}).write_parquet(path)
    with opened(warehouse) as session:
        session.prepare()
        session.upload(staged, StagingFile(path, 1))
        with pytest.raises(PermanentError, match=r"\['LOADED', 1, 1\].*not \['LOADED', 2, 2\]"):
            session.stage(staged, [StagingFile(path, 2)], [])
        session.discard(staged)
        with pytest.raises(PermanentError, match=r"nothing .* not \['LOADED', 1, 1\]"):
            session.stage(staged, [StagingFile(path, 1)], [])


def test_leftovers_of_attempts_that_have_ended_are_swept_and_those_of_live_ones_are_not(
    warehouse: Copy, stage: Stage, emulator: Emulator
) -> None:
    with opened(warehouse) as session:
        session.prepare()
        live, ended = stage(session, [(1, "a")]), stage(session, [(1, "a")])
        session.record({**ended.record, "outcome": "failed"})
        left = emulator_file(emulator, warehouse, ended.staged.attempt)
        session.prepare()
    names = [name.upper() for name in (live.staged.name, live.staged.letters)]
    assert sorted(warehouse.staged()) == names
    assert not left.exists()


def test_leftovers_that_are_old_are_swept_though_nobody_knows_their_end(
    warehouse: Copy, stage: Stage, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_staging, "OLD", timedelta(seconds=-5))
    with opened(warehouse) as session:
        session.prepare()
        left = emulator_file(emulator, warehouse, stage(session, [(1, "a")]).staged.attempt)
        session.prepare()
    assert warehouse.staged() == []
    assert not left.exists()


def emulator_file(emulator: Emulator, warehouse: Copy, attempt: str) -> Path:
    """A file on the stage that no COPY has taken."""
    assert isinstance(warehouse, SnowflakeCopy)
    stage = emulator.folder / "bucket" / warehouse.account.database / "RAW" / "DAYBREAK_STAGE"
    file = stage / attempt / "rows" / "9-000000.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


@pytest.fixture
def published(warehouse: Copy, stage: Stage, emulator: Emulator) -> list[dict[str, Any]]:
    """The statements of preparing a warehouse and publishing a row."""
    with opened(warehouse) as session:
        session.prepare()
        session.publish([stage(session, [(1, "a")])])
    return [*emulator.statements()]


def test_every_statement_bears_the_run_the_table_and_the_step(
    published: list[dict[str, Any]],
) -> None:
    asked = [each["parameters"] or {} for each in published]
    tags = [json.loads(each["QUERY_TAG"]) for each in asked if RUN in each.get("QUERY_TAG", "")]
    # The connector repeats a PUT by itself, to be told where to; that one bears no step.
    steps = {tag["step"] for tag in tags if "step" in tag}
    assert {"prepare", "state", "upload", "stage", "publish"} <= steps
    assert {tag["table"] for tag in tags} == {"t"}


def test_no_table_takes_the_collation_of_its_database(
    published: list[dict[str, Any]],
) -> None:
    """Under one that takes texts for equal, keys and letters would be."""
    texts = [text for text in ours(published) if text.startswith("create")]
    made = [text for text in texts if " table " in text]
    assert len(made) > len(TABLES)
    assert [text for text in made if not text.endswith(" default_ddl_collation = ''")] == []


def test_a_publish_sends_no_ddl_between_begin_and_commit(
    published: list[dict[str, Any]],
) -> None:
    texts = [each["sqlText"] for each in published]
    last = len(texts) - texts[::-1].index("begin")
    kinds = {type(sqlglot.parse_one(text, dialect="snowflake")) for text in texts[last:]}
    assert kinds == {exp.Insert, exp.Update, exp.Commit}


def test_a_night_speaks_snowflakes_dialect(
    source: psycopg.Connection, config_file: Write, night: Night, emulator: Emulator
) -> None:
    source.execute("create table t (id int primary key, note int, at timestamptz default now())")
    source.execute("insert into t values (1)")
    config = config_file([{"name": "t", "mode": "incremental", "cursor": "at"}])
    night(config)
    source.execute("alter table t rename note to remark; alter table t alter remark type bigint")
    source.execute("alter table t add more int")
    night(config)
    kinds = {
        type(sqlglot.parse_one(text, dialect="snowflake")) for text in ours(emulator.statements())
    }
    assert {exp.Put, exp.Copy, exp.Merge, exp.Delete, exp.Insert, exp.Update, exp.Alter} <= kinds
