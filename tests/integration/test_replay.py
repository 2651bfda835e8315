"""Dead letters tried again: what passes is published, what is gone closed, the rest stays."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Start, Sync, Write, ended, says
from tests.faults.steps import STEPS, once, strike
from tests.warehouses import Copy

RULES = {"rules": {"accepted": {"note": ["a"]}}, "breaker": {"max_dead_letter_ratio": 1}}
KEYED = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0", "key": ["id"], **RULES}
APPENDED = {"name": "t", "mode": "incremental", "append_only": True, "cursor": "at", **RULES}
BY_DAY = {"name": "t", "mode": "partition_overwrite", "partition_by": "day", **RULES}
# With a row that is new beside those that are sought: in the whole table, or in their partition.
MODES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "keyed": (KEYED, []),
    "full": ({"name": "t", **RULES}, [(99, "a")]),
    "keyed full": ({"name": "t", "key": ["id"], **RULES}, []),
    "append": (APPENDED, []),
    "days": (BY_DAY, [(99, "a")]),
}
# Each finds the rows in another way.
ON_SNOWFLAKE = ["keyed", "append", "days"]
MAKE = """
create table t (id int, day date, note text, at timestamptz default clock_timestamp());
insert into t select g, '2024-01-01'::date + g / 10, 'a', now() - (100 - g) * interval '1 hour'
from generate_series(0, 49) g;
update t set note = 'b' where id in (7, 17, 27);
insert into t values (50, 'infinity', 'a', now() - interval '9 days'), (51, null, 'b', null);
"""
COPIES = "select id, note from raw.t"
LOST, UNFIT = "accepted", "unrepresentable"


def letters(warehouse: Copy) -> list[Any]:
    """The id and the rule of every open letter."""
    found = warehouse("select record, rule from raw.dead_letters where closed_at is null")
    return sorted((int(json.loads(record)["id"]), rule) for record, rule in found)


@pytest.mark.parametrize(
    ("warehouse", "mode"),
    [*(("duckdb", mode) for mode in MODES), *(("snowflake", mode) for mode in ON_SNOWFLAKE)],
    indirect=["warehouse"],
)
def test_rows_that_pass_now_are_published_and_those_that_are_gone_closed(
    mode: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    table, beside = MODES[mode]
    source.execute(MAKE)
    sync(table)
    before, copies = warehouse("select watermark from raw.sync_state"), sorted(warehouse(COPIES))
    first = [(7, LOST), (17, LOST), (27, LOST), (50, UNFIT), (51, LOST)]
    assert letters(warehouse) == first
    sync(table, replay=True)
    assert (letters(warehouse), sorted(warehouse(COPIES))) == (first, copies)
    source.execute("update t set note = 'a' where id in (17, 51); delete from t where id = 27")
    source.execute("update t set note = 'c' where id = 7")
    source.execute("insert into t values (99, '2024-01-01', 'a', now() - interval '99 days')")
    for _ in range(2):
        assert sync(table, replay=True).mode == "replay"
        assert letters(warehouse) == [(7, LOST), (50, UNFIT)]
        assert sorted(warehouse(COPIES)) == sorted([*copies, (17, "a"), (51, "a"), *beside])
    assert warehouse("select watermark from raw.sync_state") == before
    assert warehouse("select count(*) from raw.sync_runs where mode = 'replay'") == [(3,)]


def test_a_row_keeps_its_good_version_until_a_replay_publishes_another(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(KEYED)
    source.execute("update t set note = 'b', at = clock_timestamp() where id = 1")
    sync(KEYED)
    sync(KEYED, replay=True)
    assert warehouse("select note from raw.t where id = 1") == [("a",)]
    source.execute("update t set note = 'a', day = '2024-02-02' where id = 1")
    sync(KEYED, replay=True)
    assert warehouse("select cast(day as varchar) from raw.t where id = 1") == [("2024-02-02",)]


def test_a_replay_after_the_rules_changed_reads_the_table_in_full(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    sync(KEYED)
    outcome = sync({**KEYED, "rules": {"accepted": {"note": ["a", "b"]}}}, replay=True)
    assert outcome.rows_read == 52
    assert letters(warehouse) == [(50, UNFIT)]
    assert len(warehouse(COPIES)) == 51


@pytest.mark.parametrize("kind", ["bytea", "time", "date"])
def test_rows_are_found_whatever_their_key_is(
    kind: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    keys = {
        "bytea": "'\\x00ff', '\\x01'",
        "time": "'09:00', '24:00'",
        "date": "'2024-01-01', '-infinity'",
    }[kind]
    source.execute(f"create table t (id {kind} primary key, note text, at timestamptz)".encode())
    source.execute(f"insert into t select unnest(array[{keys}]::{kind}[]), 'b', now()".encode())
    sync(KEYED)
    source.execute("update t set note = 'a'")
    sync(KEYED, replay=True)
    open_letters = warehouse("select rule from raw.dead_letters where closed_at is null")
    assert len(warehouse("select id from raw.t")) + len(open_letters) == 2
    assert {rule for (rule,) in open_letters} <= {UNFIT}


def test_a_replay_is_not_judged_by_the_share_of_bad_rows(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE + "insert into t select g, null, 'b' from generate_series(100, 299) g")
    table = {**KEYED, "breaker": {}}
    sync(table, forced=True)
    source.execute("update t set note = 'a' where id = 100")
    sync(table, replay=True)
    assert len(letters(warehouse)) == 204
    assert warehouse("select note from raw.t where id = 100") == [("a",)]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ON_SNOWFLAKE)
def test_whatever_happens_to_bad_rows_a_night_and_a_replay_find_them_all(
    mode: str, seed: int, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    chance, (table, _) = random.Random(seed), MODES[mode]
    source.execute("create table t (id serial, day date, note text,"
                   " at timestamptz default clock_timestamp())")  # fmt: skip
    add = "insert into t (day, note) values (date '2024-01-01' + {} / 9, '{}')"
    bad = "(select id from t where note <> 'a' order by md5(id::text || {}) limit 2)"
    for number in range(30):
        happens = {
            "a good row": add.format(number, "a"),
            "a bad row": add.format(number, "b"),
            "two are mended": f"update t set note = 'a' where id in {bad.format(number)}",
            "two are gone": f"delete from t where id in {bad.format(number)}",
            "two are bad otherwise": f"update t set note = 'c' where id in {bad.format(number)}",
            "a night": None,
            "a replay": None,
        }
        event = chance.choice([*happens, "a good row", "a bad row"])
        if statement := happens[event]:
            source.execute(statement.encode())
        else:
            sync(table, replay=event == "a replay")
    sync(table)
    for _ in range(2):
        sync(table, replay=True)
        rows = source.execute("select id, note from t").fetchall()
        assert sorted(warehouse(COPIES)) == sorted(row for row in rows if row[1] == "a")
        assert letters(warehouse) == sorted((row[0], LOST) for row in rows if row[1] != "a")


def test_a_replay_that_another_run_overtakes_leaves_everything_to_it(
    source: psycopg.Connection, sync: Sync, warehouse: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.execute(MAKE)
    sync(KEYED)
    source.execute("update t set note = 'a', at = clock_timestamp() where id = 7")
    with monkeypatch.context() as patch:
        strike(STEPS["all read"], once(lambda: sync(KEYED)), patch.setattr)
        assert sync(KEYED, replay=True).outcome == "superseded"
    assert letters(warehouse) == [(17, LOST), (27, LOST), (50, UNFIT), (51, LOST)]
    assert warehouse("select note from raw.t where id = 7") == [("a",)]


def test_the_command_tries_the_letters_of_the_tables_it_names_and_tells_what_is_left(
    source: psycopg.Connection,
    config_file: Write,
    sync: Sync,
    start_flow: Start,
    warehouse: Copy,
) -> None:
    source.execute(MAKE + "create table u (id int primary key); insert into u values (1)")
    sync(KEYED)
    source.execute("update t set note = 'a' where id = 17")
    config = config_file([KEYED, {"name": "u"}], publish="together")

    def replayed(*options: str | Path) -> subprocess.CompletedProcess[str]:
        return ended(start_flow("replay_dead_letters.py", "--config", config, *options))

    says(replayed("--tables", "nope"), 2, "No table nope is configured", "t, u")
    says(replayed("--tables", "u"), 0, "no dead letter is open")
    done = replayed()
    says(done, 0, "t: 1 rows published, 4 dead letters", "replay")
    says(done, 0, "letters  4 open: t accepted 3, t unrepresentable 1")
    assert warehouse("select table_name from raw.sync_runs where mode = 'replay'") == [("t",)]
    assert letters(warehouse) == [(7, LOST), (27, LOST), (50, UNFIT), (51, LOST)]
