"""Copies held against their source: what was planted in them is found, and just that mended."""

import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.errors import CopyDiffers, SyncFailed
from tests.arrivals import make
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, Night, Write
from tests.integration.test_types import cases, joined
from tests.values import SET_UP
from tests.warehouses import Copy

ROWS = 20_000
TABLE = {"name": "t", "mode": "incremental", "cursor": "at", "lag": "0"}
MAKE = """
create table t (id int primary key, note text, amount numeric(12, 4), ratio float8, born date,
                seen timestamp, at timestamptz not null);
insert into t select g, 'note ' || g, g / 7.0, g / 3.0, date '2020-01-01' + g % 1000,
    timestamp '2024-01-01' + g * interval '1.000001 s',
    timestamptz '2024-01-01' + g * interval '1 s' from generate_series(1, {rows}) g;
"""
PLANTED = {
    "a changed character": ("update raw.t set note = 'note 41x' where id = 417", "different"),
    "a rounded timestamp": (
        "update raw.t set seen = date_trunc('second', seen) where id = 417",
        "different",
    ),
    "a lost digit": ("update raw.t set amount = 59.571 where id = 417", "different"),
    "a rounded float": ("update raw.t set ratio = round(ratio, 9) where id = 418", "different"),
    "a lost value": ("update raw.t set born = null where id = 417", "different"),
    "a missing row": ("delete from raw.t where id = 417", "missing"),
    "an extra row": ("update raw.t set id = 99999 where id = 20000", "extra"),
    "a doubled row": ("insert into raw.t select * from raw.t where id = 417", "doubled"),
}
RESULTS = "select rows_missing, rows_extra, rows_different, repaired from raw.reconcile_results"


@pytest.fixture
def reconcile(night: Night, config_file: Write) -> Night:
    """Runs the flow in this process: `reconcile(tables, repair=True)`."""
    from flows.reconcile import reconcile

    def run(*tables: dict[str, Any], **options: Any) -> None:
        reconcile(str(config_file([*tables])), **options)

    return run


@ON_BOTH
def test_what_is_planted_in_a_copy_is_found_and_just_that_repaired(
    source: psycopg.Connection,
    source_url: str,
    night: Night,
    reconcile: Night,
    config_file: Write,
    warehouse: Copy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source.execute(MAKE.format(rows=ROWS).encode())
    night(config_file([TABLE]))
    reconcile(TABLE)
    for name, (statement, what) in PLANTED.items():
        before = set(warehouse("select id, _synced_at::varchar from raw.t"))
        warehouse.change(statement)
        with pytest.raises(CopyDiffers, match=what):
            reconcile(TABLE)
        reconcile(TABLE, repair=True)
        assert_copied(source_url, "t", warehouse)
        after = set(warehouse("select id, _synced_at::varchar from raw.t"))
        assert len(before - after) <= 2, name
    reconcile(TABLE)
