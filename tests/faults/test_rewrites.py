"""Tables whose storage or shape changes under a run: what was read before is not trusted."""

import threading
import time

import psycopg
import pytest

from tests.conftest import Night, Write, few_of
from tests.faults.conftest import GROWN, WHOLE, Copied, Strike
from tests.faults.steps import once

REWRITES = {
    "truncate": "truncate {0}; insert into {0} select g, 9, 'new' from generate_series(1, 2000) g",
    "cluster": "cluster {0} using {0}_pkey",
    "vacuum full": "vacuum full {0}",
    "rewriting alter": "alter table {0} alter column version type bigint",
    "added column": "alter table {0} add column more text default 'x'",
    "renamed column": "alter table {0} rename column note to remark",
    "dropped column": "alter table {0} drop column note",
    "recreated": "create table new (like {0} including all); insert into new select * from {0};"
    " drop table {0}; alter table new rename to {0}",
}


def run(source_url: str, statements: str) -> None:
    with psycopg.connect(source_url, autocommit=True) as session:
        session.execute(statements.encode())


@pytest.mark.parametrize("table", ["whole", "grown"])
@pytest.mark.parametrize("rewrite", few_of(REWRITES, "truncate"))
def test_a_table_rewritten_between_plan_and_first_read_is_read_on_a_new_snapshot(
    table: str, rewrite: str, copied: Copied, source_url: str, night: Night, at: Strike
) -> None:
    at("snapshot taken", once(lambda: run(source_url, REWRITES[rewrite].format(table))))
    night(copied.config)
    copied.equals_source()
    assert copied.warehouse("select table_name from raw.sync_runs where outcome = 'failed'") == [
        (table,)
    ]


@pytest.mark.parametrize("rewrite", few_of(REWRITES, "vacuum full", "rewriting alter"))
def test_a_table_is_not_rewritten_between_the_ranges_of_a_read(
    rewrite: str,
    copied: Copied,
    config_file: Write,
    source: psycopg.Connection,
    source_url: str,
    at: Strike,
) -> None:
    """The rewrite waits for the run's lock; what the run publishes is the table before it."""
    # Another reader's first query would wait behind the rewrite, and cost another attempt.
    config_file([WHOLE, GROWN], source={"url": "${SOURCE_URL}", "streams": 1})
    [before] = source.execute("select sum(version), count(*) from whole").fetchall()
    other = threading.Thread(target=run, args=[source_url, REWRITES[rewrite].format("whole")])

    def rewrite_now() -> None:
        other.start()
        while source.execute("select from pg_locks where not granted").fetchone() is None:
            time.sleep(0.01)

    at("chunk read", once(rewrite_now))
    copied.sync()
    other.join()
    assert copied.warehouse("select sum(version), count(*) from raw.whole") == [before]
    copied.sync()
    copied.equals_source()
