"""Backfills that are killed between and inside slices: the next one goes on, and all is exact."""

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from tests.compare import assert_copied
from tests.conftest import ROOT, Night, Write
from tests.faults.conftest import few_of
from tests.integration.test_backfill import DONE, MAKE, TABLE
from tests.warehouses import Copy

STEPS = ["snapshot taken", "chunk read", "staged", "before commit", "committed", "staging dropped"]
SLICES = 4


@pytest.mark.parametrize(
    ("step", "passes"),
    few_of(
        [(step, passes) for step in STEPS for passes in range(SLICES)],
        ("chunk read", 0),
        ("before commit", 1),
        ("committed", 1),
    ),
)
def test_a_backfill_killed_between_and_inside_slices_goes_on_and_is_exact(
    step: str,
    passes: int,
    source: psycopg.Connection,
    source_url: str,
    prefect_api: str,
    night: Night,
    config_file: Write,
    warehouse: Copy,
) -> None:
    from flows.backfill import backfill

    source.execute(MAKE)
    path = config_file([TABLE])
    night(path)
    source.execute("update t set note = 'new'")
    before = warehouse("select watermark from raw.sync_state")
    asked = ["--config", str(path), "--table", "t", "--whole", "--slices", str(SLICES - 1)]
    killed = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", "backfill", step, str(passes), *asked],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_URL": prefect_api},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    done = warehouse(DONE)
    backfill("t", str(path), slices=SLICES - 1)
    assert_copied(source_url, "t", warehouse)
    assert warehouse("select count(distinct run_id) from raw.sync_runs where slice <> ''") == [(1,)]
    assert len({*warehouse(DONE)}) == len(warehouse(DONE)) == SLICES
    assert {*done} <= {*warehouse(DONE)}
    assert warehouse("select watermark from raw.sync_state") == before
    assert warehouse.staged() == []
