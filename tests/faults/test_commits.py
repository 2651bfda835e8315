"""Writers at work during a run: whatever commits when, with whatever timestamp, arrives."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tasks.source.embedded import programs
from tests.conftest import Write
from tests.faults.conftest import ROWS, Copied, Strike
from tests.faults.steps import STEPS

RUNS = 10
NAIVE = {
    "name": "naive",
    "mode": "incremental",
    "cursor": "at",
    "cursor_timezone": "Europe/Berlin",
    "lag": "1h",
}
LOAD = """
\\set id random(1, 4000)
begin;
insert into grown values (:id, 1, 'load', now())
on conflict (id) do update set version = grown.version + 1, updated_at = now();
\\sleep 20 ms
end;
"""


class LateWriter:
    """Keeps a transaction open, and commits it only when the next one has begun."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[psycopg.Connection] = []
        self._id = ROWS
        self._working = True

    def write(self) -> None:
        """Begins a row with an old timestamp, has a newer one overtake it, ends the one before."""
        if not self._working:
            return
        late = psycopg.connect(self._url)
        self._insert(late, "now()")
        self._open.append(late)
        with psycopg.connect(self._url) as newer:
            self._insert(newer, "clock_timestamp()")
        if len(self._open) > 1:
            self._end(self._open.pop(0))

    def end(self) -> None:
        self._working = False
        while self._open:
            self._end(self._open.pop(0))

    def _insert(self, session: psycopg.Connection, clock: str) -> None:
        self._id += 1
        session.execute(f"insert into grown values ({self._id}, 1, 'late', {clock})".encode())

    def _end(self, late: psycopg.Connection) -> None:
        late.commit()
        late.close()


def test_rows_with_old_timestamps_that_commit_between_any_two_steps_arrive(
    copied: Copied, source_url: str, at: Strike
) -> None:
    writer = LateWriter(source_url)
    for step in STEPS:
        at(step, writer.write)
    copied.sync()
    copied.sync()
    writer.end()
    copied.sync()
    copied.equals_source()


def test_rows_that_share_one_cursor_value_all_arrive(
    copied: Copied, source: psycopg.Connection
) -> None:
    for first, last in ((10_001, 60_000), (60_001, 110_000)):
        source.execute(
            "insert into grown select g, 1, 'same', (select max(updated_at) from grown)"
            " from generate_series(%s::int, %s) g",
            [first, last],
        )
        copied.sync()
        copied.equals_source()


def test_rows_of_clocks_ahead_and_behind_arrive_within_the_lag(
    copied: Copied, source: psycopg.Connection
) -> None:
    copied.config.write_text(copied.config.read_text().replace("lag: '0'", "lag: 10m"))
    copied.sync()
    for offset in ("1 day", "-9 minutes", "infinity", "-1 second", "0"):
        source.execute(
            "insert into grown select max(id) + 1, 1, 'odd clock', clock_timestamp() + %s::interval"
            " from grown",
            [offset],
        )
        copied.sync()
    source.execute("update grown set version = 7, updated_at = now() where note = 'odd clock'")
    copied.sync()
    copied.equals_source()


def test_rows_of_the_hour_that_a_clock_runs_through_twice_arrive(
    copied: Copied, source: psycopg.Connection, config_file: Write
) -> None:
    source.execute("create table naive (id int primary key, at timestamp)")
    config = config_file([NAIVE])
    naive = Copied(config, copied.source_url, ["naive"], copied.warehouse)
    for number, clock in enumerate(["01:59", "02:59:59", "02:00", "02:59:58", "03:00"]):
        source.execute("insert into naive values (%s, %s)", [number, f"2025-10-26 {clock}"])
        naive.sync()
        naive.equals_source()


@contextmanager
def load(url: str, folder: Path) -> Iterator[None]:
    """Four clients that insert and update rows, in transactions of 20 ms."""
    script = folder / "load.sql"
    script.write_text(LOAD)
    writers = subprocess.Popen(
        [programs() / "pgbench", "-n", "-c", "4", "-T", "600", "-f", script, url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield
        assert writers.poll() is None
    finally:
        writers.terminate()
        writers.communicate()


def test_ten_runs_under_load_and_a_last_one_lose_nothing(copied: Copied, tmp_path: Path) -> None:
    with load(copied.source_url, tmp_path):
        for _ in range(RUNS):
            copied.sync()
    copied.sync()
    copied.equals_source()
    assert copied.warehouse("select count(*) > 100 from raw.grown where note = 'load'") == [(True,)]
