"""Sessions that are cut off, timed out or locked out: the table is read again, nothing is lost."""

import threading
import time

import psycopg
import pytest

from tests.compare import assert_copied
from tests.conftest import Night
from tests.faults.conftest import Copied, Strike
from tests.faults.steps import once

OURS = """
select pid from pg_stat_activity
where datname = current_database() and application_name = 'daybreak' and {which}
order by backend_start limit 1
"""
KEEPER = "backend_xmin is not null and state = 'idle in transaction'"
READER = "query like 'COPY%'"
LOCKER = """state = 'idle in transaction' and query not like 'COPY%' and pid in (
    select pid from pg_locks where relation in ('whole'::regclass, 'grown'::regclass))"""


def terminate(source: psycopg.Connection, which: str) -> None:
    """Ends the oldest of a run's sessions that are `which`, and waits until it is gone."""
    found = source.execute(OURS.format(which=which).encode()).fetchone()
    assert found is not None
    source.execute("select pg_terminate_backend(%s, 5000)", found)


@pytest.mark.parametrize("which", [KEEPER, READER, LOCKER], ids=["keeper", "reader", "locker"])
def test_a_session_that_is_terminated_costs_another_attempt_and_no_row(
    which: str, copied: Copied, source: psycopg.Connection, night: Night, at: Strike
) -> None:
    at("chunk read", once(lambda: terminate(source, which)))
    night(copied.config)
    copied.equals_source()


def test_a_keeper_that_is_terminated_before_a_table_is_read_costs_it_another_snapshot(
    copied: Copied, source: psycopg.Connection, night: Night, at: Strike
) -> None:
    at("before the lock", once(lambda: terminate(source, KEEPER)))
    night(copied.config)
    copied.equals_source()
    assert copied.warehouse("select count(*) > 0 from raw.sync_runs where outcome = 'failed'") == [
        (True,)
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "transaction_timeout",
        "statement_timeout",
    ],
)
def test_a_timeout_of_the_servers_does_not_reach_a_run(
    setting: str, copied: Copied, source: psycopg.Connection, source_url: str, at: Strike
) -> None:
    database = psycopg.conninfo.conninfo_to_dict(source_url)["dbname"]
    source.execute(f"alter database {database} set {setting} = '300ms'".encode())
    at("before the first read", lambda: time.sleep(0.5))
    at("chunk read", once(lambda: time.sleep(0.5)))
    copied.sync()
    copied.equals_source()


def test_a_lock_that_ends_in_time_is_waited_for(
    copied: Copied, source_url: str, at: Strike
) -> None:
    with psycopg.connect(source_url) as other:

        def lock_for_a_second() -> None:
            other.execute("lock table whole")
            threading.Timer(1, other.rollback).start()

        at("before the lock", once(lock_for_a_second))
        copied.sync()
    copied.equals_source()


def test_a_deadlock_costs_another_attempt_and_no_row(
    uncopied: Copied, source: psycopg.Connection, source_url: str, night: Night, at: Strike
) -> None:
    """The run locks a parent before its child; the other session takes them in reverse."""
    source.execute("create table more () inherits (whole)")
    uncopied.sync()
    uncopied.change()
    waits = "select from pg_locks where relation = 'more'::regclass and not granted"
    with psycopg.connect(source_url) as other:
        # So that the run's session is the one to notice, and to give way.
        other.execute("set deadlock_timeout = '1min'")

        def lock_parent() -> None:
            while source.execute(waits).fetchone() is None:
                time.sleep(0.01)
            other.execute("lock table only whole")
            other.rollback()

        reverse = threading.Thread(target=lock_parent)

        def lock_child() -> None:
            other.execute("lock table only more")
            reverse.start()

        at("before the lock", once(lock_child))
        night(uncopied.config, tables=["whole"])
        reverse.join()
    assert_copied(source_url, "whole", uncopied.warehouse)
    [(said,)] = uncopied.warehouse("select error from raw.sync_runs where outcome = 'failed'")
    assert "deadlock detected" in said
