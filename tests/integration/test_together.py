"""`publish: together`: all tables in one transaction and of one instant, or none."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tasks.errors import SyncFailed
from tests.conftest import ON_BOTH, Night, Start, Write, ended, says
from tests.interference import blocked
from tests.warehouses import Copy

OUTCOMES = "select table_name, outcome, snapshot_id from raw.sync_runs order by finished_at"


@ON_BOTH
def test_tables_are_published_together_or_not_at_all(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table good (id int primary key); insert into good values (1)")
    source.execute("create table shrinking (id int primary key)")
    source.execute("insert into shrinking select generate_series(1, 200)")
    config = config_file([{"name": "good"}, {"name": "shrinking"}], publish="together")
    night(config)
    assert warehouse("select count(*) from raw.good") == [(1,)]
    assert warehouse("select count(*) from raw.shrinking") == [(200,)]

    source.execute("insert into good values (2); delete from shrinking where id > 10")
    with pytest.raises(SyncFailed, match=r"1 of 2 tables failed:\n  shrinking: .*\nNothing is"):
        night(config)
    assert warehouse("select count(*) from raw.good") == [(1,)]
    assert [(table, outcome) for table, outcome, _ in warehouse(OUTCOMES)[2:]] == [
        ("shrinking", "failed"),
        ("good", "withheld"),
    ]
