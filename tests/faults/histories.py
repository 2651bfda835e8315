"""Random histories of a table and of the runs that copy it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tasks.config import Config
from tasks.errors import TransientError
from tasks.warehouse.duckdb import SETTINGS
from tests.bench.transfer import transfer
from tests.faults.steps import STATEMENT, STEPS, many_chunks, once, strike

# A row fills half a page, so that a few rows are read in several ranges.
MAKE = """
create table t (id int primary key, version int not null, part int, updated_at timestamptz,
                note text storage plain default repeat('x', 3000));
"""
# Each change moves a row to the next of three partitions and that of NULL.
UPSERT = """
insert into t values (%s, 1, 1, {clock})
on conflict (id) do update set version = t.version + 1, updated_at = excluded.updated_at,
                               part = nullif((coalesce(t.part, 0) + 1) %% 4, 0)
"""
INSERT = "insert into t select coalesce(max(id), 0) + 100 + %s, 1, 1, {clock} from t"
REWRITE = """
begin;
create temp table kept on commit drop as select * from t;
truncate t;
insert into t select * from kept;
commit;
"""
#: Steps within a run of one table, at which all locks of this process are free.
BEFORE_PUBLISH = [
    "before the floor",
    "floor noted",
    "snapshot taken",
    "before the lock",
    "before the first read",
    "chunk read",
    "all read",
    "staged",
]
STRUCK = [*BEFORE_PUBLISH, "publish begun", "before commit", "committed"]
ALTERATIONS = ["add {0} text", "add {0} text default 'x'", "rename {0} to {0}_", "drop {0}"]
IDS = st.integers(1, 8)
CLOCKS = ["clock_timestamp()", "null", "clock_timestamp() + interval '1 day'"]


class Killed(BaseException):
    """The end of a run's process."""


class History(RuleBasedStateMachine):
    """What may happen to the table `t`; a run that nothing disturbs must end with an equal copy.

    Subclasses say whose source and folder these are, and how the table is configured.
    """

    url: ClassVar[str]
    folder: ClassVar[Path]
    table: ClassVar[dict[str, Any]]
    clocks: ClassVar[list[str]] = CLOCKS
    deletes: ClassVar[bool] = False
    updates: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        # A plan that psycopg keeps after five times fails once the table was altered.
        self._source = psycopg.connect(self.url, autocommit=True, prepare_threshold=None)
        self._source.execute("set client_min_messages = error; set lock_timeout = '100ms'")
        self._source.execute("drop table if exists t")
        self._source.execute(MAKE)
        self._late: dict[int, psycopg.Connection] = {}
        self._columns: list[str] = []
        file = self.folder / "warehouse.duckdb"
        file.unlink(missing_ok=True)
        # Open all the while, so that no run has to open the file and close it again.
        self._copy = duckdb.connect(str(file), config=SETTINGS)
        self._config = Config.model_validate(
            {
                "source": {"url": self.url},
                "warehouse": {"path": file},
                "tables": [{"name": "t", "breaker": {"max_shrink_ratio": 1}, **self.table}],
            }
        )

    def teardown(self) -> None:
        try:
            while self._late:
                self._end(commit=True)
            self.run()
        finally:
            self._source.close()
            self._copy.close()

    @rule(key=IDS, data=st.data())
    def write(self, key: int, data: st.DataObject) -> None:
        self._write(key, data.draw(st.sampled_from(self.clocks)))

    @precondition(lambda self: self.deletes)
    @rule(key=IDS)
    def delete(self, key: int) -> None:
        if key not in self._late:
            self._source.execute("delete from t where id = %s", [key])

    @rule(key=IDS)
    def write_late(self, key: int) -> None:
        """Writes in a transaction that stays open, with the time at which it began."""
        if key not in self._late:
            self._late[key] = psycopg.connect(self.url)
            self._late[key].execute(self._change("now()"), [key])

    @precondition(lambda self: self._late)
    @rule(commit=st.booleans())
    def end(self, commit: bool) -> None:
        self._end(commit)

    @precondition(lambda self: not self._late)
    @rule(change=st.sampled_from(ALTERATIONS))
    def alter(self, change: str) -> None:
        """Changes the newest of the columns that were added; a dropped one's name comes back."""
        if change.startswith("add"):
            self._columns.append(f"c{len(self._columns)}")
        elif not self._columns:
            return
        name = self._columns[-1]
        self._source.execute(f"alter table t {change.format(name)}".encode())
        if change.startswith("drop"):
            self._columns.pop()
        elif change.startswith("rename"):
            self._columns[-1] = f"{name}_"

    @rule()
    def run(self) -> None:
        self._transfer()
        self._check()

    @rule(step=st.sampled_from(STRUCK), key=IDS, late=st.booleans())
    def write_during_a_run(self, step: str, key: int, late: bool) -> None:
        def write() -> None:
            if late and self._late:
                self._end(commit=True)
            self._write(key, "clock_timestamp()")

        self._transfer(step, write)

    @rule(step=st.sampled_from(BEFORE_PUBLISH), key=IDS, run=st.booleans())
    def overtake_a_run(self, step: str, key: int, run: bool) -> None:
        """Another run copies newer rows, or the table is rewritten: what was read is outdated."""

        def run_again() -> None:
            self._write(key, "clock_timestamp()")
            self._transfer()

        self._transfer(step, run_again if run else self._rewrite)
        self._check()

    @rule(step=st.sampled_from(STRUCK))
    def kill_a_run(self, step: str) -> None:
        dead: list[bool] = []

        def die() -> None:
            dead.append(True)
            raise Killed

        def stay_dead() -> None:
            if dead:
                raise Killed

        # A run that never comes to the step lives on: of an empty table no chunk is read.
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            strike(STATEMENT, stay_dead, patch.setattr)
            self._transfer(step, die)

    def _write(self, key: int, clock: str) -> None:
        if key not in self._late:
            self._source.execute(self._change(clock), [key])

    def _change(self, clock: str) -> bytes:
        return (UPSERT if self.updates else INSERT).format(clock=clock).encode()

    def _end(self, commit: bool) -> None:
        late = self._late.pop(min(self._late))
        late.commit() if commit else late.rollback()
        late.close()

    def _rewrite(self) -> None:
        try:
            self._source.execute(REWRITE)
        except psycopg.errors.LockNotAvailable:
            self._source.execute("rollback")

    def _transfer(self, step: str | None = None, action: Callable[[], object] = int) -> None:
        """Runs until nothing transient is left, as a night's retries do."""
        with pytest.MonkeyPatch.context() as patch:
            many_chunks(patch.setattr)
            if step:
                strike(STEPS[step], once(action), patch.setattr)
            for _ in range(3):
                try:
                    transfer(self._config)
                except TransientError:
                    continue
                return
        raise AssertionError("a run that nothing disturbs any more fails")

    def _check(self) -> None:
        found = self._source.execute("select * from t order by id")
        columns = [column.name for column in found.description or []]
        copy = self._copy.execute(f"select {', '.join(columns)} from raw.t order by id")
        assert copy.fetchall() == found.fetchall()
