"""A source of two tables, its copy, and runs that are struck at a step."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.config import load_config
from tests.bench.transfer import transfer
from tests.compare import assert_copied
from tests.conftest import ROOT, Write
from tests.faults.steps import STEPS, many_chunks, strike
from tests.faults.stopped import STOPPED
from tests.warehouses import Copy

ROWS = 2_000
WHOLE: dict[str, Any] = {"name": "whole"}
GROWN: dict[str, Any] = {
    "name": "grown",
    "mode": "incremental",
    "cursor": "updated_at",
    "lag": "0",
}
MAKE = """
create table {table} (id int primary key, version int not null, note text,
                      updated_at timestamptz not null default clock_timestamp());
insert into {table} select g, 1, repeat('x', 100) from generate_series(1, {rows}) g;
"""
CHANGE = "update {table} set version = version + 1, updated_at = clock_timestamp()"

Strike = Callable[[str, Callable[[], object]], None]


@dataclass(frozen=True)
class Copied:
    """Tables and their configuration, and what must hold of their copies whatever happens."""

    config: Path
    source_url: str
    tables: list[str]
    warehouse: Copy

    def sync(self) -> None:
        """Copies all tables as a night does, without Prefect."""
        config = load_config(self.config)
        for table in config.tables:
            transfer(config.model_copy(update={"tables": [table]}))

    def change(self) -> None:
        """Gives every row another version."""
        with psycopg.connect(self.source_url) as session:
            for table in self.tables:
                session.execute(CHANGE.format(table=table).encode())

    def is_whole(self) -> None:
        """Readers find all rows of one version, not some of each."""
        for table in self.tables:
            found = self.warehouse(f"select version, count(*) from raw.{table} group by version")
            assert len(found) == 1, (table, found)
            assert found[0][1] == ROWS, (table, found)

    def equals_source(self) -> None:
        """Every table holds the source's rows, each once, and nothing is left behind."""
        for table in self.tables:
            assert_copied(self.source_url, table, self.warehouse)
        assert self.warehouse.staged() == []


@pytest.fixture
def uncopied(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    warehouse: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> Copied:
    """Two tables, one of each mode, of which there is no copy yet."""
    monkeypatch.setenv("SOURCE_URL", source_url)
    many_chunks(monkeypatch.setattr)
    config = config_file([WHOLE, GROWN], defaults={"retries": 3, "retry_delay": "1s"})
    tables = [WHOLE["name"], GROWN["name"]]
    for table in tables:
        source.execute(MAKE.format(table=table, rows=ROWS).encode())
    return Copied(config, source_url, tables, warehouse)


@pytest.fixture
def copied(uncopied: Copied) -> Copied:
    """The tables after their first copy; all of their rows have changed since."""
    uncopied.sync()
    uncopied.change()
    return uncopied


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Strike:
    """Does an action at every pass of a step of runs in this process: `at(step, action)`."""
    return lambda step, action: strike(STEPS[step], action, monkeypatch.setattr)


@pytest.fixture
def stopped(copied: Copied, prefect_api: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the nightly command in a process, and returns it when it has stopped at a step."""
    started: list[subprocess.Popen[str]] = []

    def start(step: str) -> subprocess.Popen[str]:
        arguments: list[str | Path] = [step, "--config", copied.config, "--skip-dbt"]
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stopped", *arguments],
            cwd=ROOT,
            env={**os.environ, "PREFECT_API_URL": prefect_api},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(run)
        assert run.stdout is not None
        for line in run.stdout:
            if line.strip() == STOPPED:
                return run
        raise AssertionError(f"the run ended before it reached the step {step!r}")

    yield start
    for run in started:
        run.kill()
        run.communicate()
