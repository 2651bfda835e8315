"""Copies held against their source: what was planted in them is found, and just that mended."""

import json
import subprocess
from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, CopyDiffers, SyncFailed
from tasks.source.snapshot import Keeper
from tests.arrivals import make
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Night, Start, Sync, Write, ended, says
from tests.faults.steps import Step, once, strike
from tests.integration.test_types import cases, joined
from tests.interference import writers
from tests.values import SET_UP
from tests.warehouses import Copy, SnowflakeCopy

ROWS = 20_000
TABLE = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0"}
MAKE = """
create table t (id int primary key, note text, amount numeric(12, 4), ratio float8, born date,
                seen timestamp, at timestamptz not null);
insert into t select g, 'note ' || g, g / 7.0, g / 3.0, date '2020-01-01' + g % 1000,
    timestamp '2024-01-01' + g * interval '1.000001 s',
    timestamptz '2024-01-01' + g * interval '1 s' from generate_series(1, {rows}) g;
"""
#: Statements behind the copy's back, and what is to be found of each.
PLANTED = {
    "update raw.t set note = 'note 11x' where id = 110": ("different", "110", ["note"]),
    "update raw.t set seen = date_trunc('second', seen) where id = 111": (
        *("different", "111"),
        ["seen"],
    ),
    "update raw.t set amount = 160 where id = 112": ("different", "112", ["amount"]),
    "update raw.t set amount = 16.142 where id = 113": ("different", "113", ["amount"]),
    "update raw.t set ratio = round(ratio, 9) where id = 115": ("different", "115", ["ratio"]),
    "update raw.t set born = null, note = '' where id = 116": (
        *("different", "116"),
        ["note", "born"],
    ),
    "delete from raw.t where id = 117": ("missing", "117", []),
    "update raw.t set id = 99999 where id = 118": ("missing", "118", []),
    "update raw.t set note = note where id = 0": ("extra", "99999", []),
    "insert into raw.t select * from raw.t where id = 119": ("doubled", "119", []),
}
RESULT = """
select rows_missing, rows_extra, rows_different, differences from raw.reconcile_results
where repaired = {repaired} order by compared_at desc limit 1"""
PUBLISHED = "select rows_published, rows_deleted from raw.sync_runs where mode = 'repair'"


@pytest.fixture
def reconcile(night: Night, config_file: Write) -> Night:  # noqa: ARG001
    """Runs the flow in this process: `reconcile(tables, repair=True)`."""
    from flows.reconcile import reconcile

    def run(*tables: dict[str, Any], **options: Any) -> None:
        reconcile(str(config_file([*tables])), **options)

    return run


@SNOWFLAKE_IN_LONG
def test_what_is_planted_in_a_copy_is_found_and_just_that_repaired(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=ROWS).encode())
    sync(TABLE)
    reconcile(TABLE)
    for statement in PLANTED:
        warehouse.change(statement)
    with pytest.raises(CopyDiffers, match="t: 10 differ: "):
        reconcile(TABLE)
    before = set(warehouse("select id, _synced_at::varchar from raw.t where id < 20000"))
    reconcile(TABLE, repair=True)
    for repaired in (False, True):
        [(*counts, told)] = warehouse(RESULT.format(repaired=repaired))
        assert counts == [2, 1, 7]
        found = [(each["what"], each["key"], each["columns"]) for each in json.loads(told)]
        expected = [(what, json.dumps({"id": id_}), names) for what, id_, names in PLANTED.values()]
        assert sorted(found) == sorted(expected)
    assert_copied(source_url, "t", warehouse)
    assert warehouse(PUBLISHED) == [(9, 1)]
    after = set(warehouse("select id, _synced_at::varchar from raw.t where id < 20000"))
    assert {id_ for id_, _ in after - before} == {*range(110, 114), *range(115, 120)}
    reconcile(TABLE)


@ON_BOTH
@pytest.mark.long
def test_one_changed_character_among_a_million_texts_is_found_and_repaired(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=1_000_000).encode())
    sync(TABLE)
    warehouse.change("update raw.t set note = 'note 654320' where id = 654321")
    with pytest.raises(CopyDiffers, match=r'1 differ: different {"id": "654321"} in note'):
        reconcile(TABLE)
    reconcile(TABLE, repair=True)
    assert warehouse("select rows_published from raw.sync_runs where mode = 'repair'") == [(1,)]
    assert_copied(source_url, "t", warehouse)


@SNOWFLAKE_IN_LONG
def test_values_of_every_type_are_equal_after_a_sync_and_each_that_is_lost_is_found(
    source: psycopg.Connection,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(SET_UP.encode())
    fit, unfit = cases(warehouse)
    make(source, joined(fit, unfit).items())
    source.execute("alter table t add at timestamptz not null default '2024-01-01'")
    source.execute("update t set at = '2024-01-02' where n = 1")
    table = {**TABLE, "unrepresentable": "null"}
    sync(table)
    reconcile(table)
    types: dict[str, str] = dict(
        warehouse(
            "select lower(column_name), data_type from information_schema.columns"
            " where table_schema ilike 'raw' and table_name ilike 't' and column_name ilike 'c%'"
        )
    )
    lost = sorted(
        (name for name, kind in types.items() if not is_left_out(warehouse, kind)),
        key=lambda name: int(name[1:]),
    )
    nulls = ", ".join(f"{warehouse.column(name)} = null" for name in lost)
    warehouse.change(f"update raw.t set {nulls} where n = 0")
    with pytest.raises(CopyDiffers) as raised:
        reconcile(table)
    [found] = warehouse("select differences from raw.reconcile_results where differences <> ''")
    assert json.loads(found[0])[0]["columns"] == lost
    assert "different" in str(raised.value)
    reconcile(table, repair=True)
    reconcile(table)


def is_left_out(copy: Copy, kind: str) -> bool:
    """Whether the texts of a type are the warehouse's own."""
    return isinstance(copy, SnowflakeCopy) and kind in ("VARIANT", "JSON")


@pytest.mark.parametrize("mode", ["incremental", "full_refresh", "no key"])
def test_nothing_is_found_on_a_table_that_writers_change_all_the_while(
    mode: str,
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=5_000).encode())
    table = {**TABLE, "deletes": "hard"} if mode == "incremental" else {"name": "t"}
    if mode == "no key":
        source.execute("alter table t drop constraint t_pkey")
    sync(table)
    with writers(source_url) as changes:
        for _ in range(2):
            reconcile(table)
    assert changes() > 100
    assert warehouse("select distinct rows_missing, rows_extra from raw.reconcile_results") in (
        [(0, 0)],
        [(None, None)],
    )


PARTITIONED = {"name": "t", "mode": "partition_overwrite", "partition_by": "born", "partitions": 1}


@SNOWFLAKE_IN_LONG
def test_a_table_without_a_key_is_compared_and_repaired_by_partition(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=2_000).encode())
    source.execute("alter table t drop constraint t_pkey; update t set born = null where id = 5")
    sync(PARTITIONED, full_refresh=True)
    reconcile(PARTITIONED)
    warehouse.change("update raw.t set note = 'b' where id = 7")
    with pytest.raises(CopyDiffers, match=r"partition =2020-01-08 in note"):
        reconcile(PARTITIONED)
    reconcile(PARTITIONED, repair=True)
    assert warehouse("select count(distinct _synced_at) from raw.t") == [(3,)]
    assert_copied(source_url, "t", warehouse)
    reconcile(PARTITIONED)


def test_masked_columns_are_compared_as_masked_and_others_left_out_as_it_says(
    source: psycopg.Connection,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source.execute(MAKE.format(rows=200).encode())
    columns = {"mask": {"note": "hmac_sha256", "born": "drop"}, "exclude": ["ratio"]}
    table = {**TABLE, "columns": {**columns, "mask_key": "k" * 16}}
    sync(table)
    reconcile(table)
    said = capsys.readouterr().out
    assert "compared as masked: note" in said
    assert "not copied, so not compared: ratio" in said
    assert "dropped by their mask, so not compared: born" in said
    warehouse.change("update raw.t set note = 'note 7' where id = 7")
    with pytest.raises(CopyDiffers, match=r'different {"id": "7"} in note'):
        reconcile(table)


def test_rows_in_the_dead_letters_are_no_difference_and_told_apart(
    source: psycopg.Connection,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=200).encode())
    table = {**TABLE, "rules": {"range": {"amount": {"max": 28}}}}
    sync({**table, "breaker": {"max_dead_letter_ratio": 1}})
    source.execute("update t set amount = 99, at = clock_timestamp() where id = 7")
    reconcile({**table, "breaker": {"max_dead_letter_ratio": 1}})
    assert warehouse("select rows_extra, open_letters, rows_copied from raw.reconcile_results") == [
        (0, 5, 196)
    ]


def test_more_than_can_be_looked_at_is_repaired_in_several_goes(
    source: psycopg.Connection,
    source_url: str,
    sync: Sync,
    reconcile: Night,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source.execute(MAKE.format(rows=2_000).encode())
    sync(TABLE)
    warehouse.change("update raw.t set note = 'lost'")
    with monkeypatch.context() as patch:
        patch.setattr("tasks.reconcile.MOST_ROWS", 500)
        with pytest.raises(CopyDiffers):
            reconcile(TABLE, repair=True)
    assert "buckets of keys that differ were not looked at" in capsys.readouterr().out
    [(published,)] = warehouse("select rows_published from raw.sync_runs where mode = 'repair'")
    assert 500 < published < 600
    reconcile(TABLE, repair=True)
    assert_copied(source_url, "t", warehouse)


def test_a_table_that_was_never_copied_is_refused(
    source: psycopg.Connection, reconcile: Night
) -> None:
    source.execute(MAKE.format(rows=2).encode())
    with pytest.raises(ConfigError, match=r"t was never copied\. Run python flows/daily\.py"):
        reconcile(TABLE)


def test_a_table_whose_source_can_not_share_a_snapshot_gets_a_clear_answer(
    source: psycopg.Connection,
    sync: Sync,
    reconcile: Night,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE.format(rows=20).encode())
    sync(TABLE)
    monkeypatch.setattr(Keeper, "_is_shared", lambda *_: False)
    with pytest.raises(SyncFailed, match="sessions can't share a snapshot"):
        reconcile(TABLE)


@SNOWFLAKE_IN_LONG
def test_a_table_that_is_published_while_it_is_compared_gets_a_clear_answer(
    source: psycopg.Connection,
    reconcile: Night,
    sync: Sync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE.format(rows=20).encode())
    sync(TABLE)
    strike(
        Step("before", "tasks.reconcile:copied_digests"),
        once(lambda: sync(TABLE)),
        monkeypatch.setattr,
    )
    with pytest.raises(SyncFailed, match="Another run published it"):
        reconcile(TABLE)


def test_the_command_exits_with_1_on_a_difference_and_with_0_once_it_is_repaired(
    source: psycopg.Connection,
    sync: Sync,
    config_file: Write,
    start_flow: Start,
    warehouse: Copy,
) -> None:
    source.execute(MAKE.format(rows=200).encode())
    sync(TABLE)
    path = config_file([TABLE])
    warehouse.change("delete from raw.t where id = 7")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return ended(start_flow("reconcile.py", "--config", path, *arguments))

    says(run(), 1, 't: missing {"id": "7"}', "--repair --tables t")
    says(run("--repair"), 0, "repaired")
    says(run("--tables", "u"), 2, "No table u is configured")
