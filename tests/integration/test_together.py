"""`publish: together`: all tables in one transaction and of one instant, or none."""

import psycopg
import pytest

from tasks.errors import SyncFailed
from tests.conftest import ON_BOTH, Night, Start, Write, ended, says
from tests.interference import blocked, gated
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


def test_when_the_snapshot_is_lost_all_tables_are_read_again_on_a_new_one(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    start_daily: Start,
    warehouse: Copy,
) -> None:
    source.execute("create table early (id int primary key); insert into early values (1)")
    source.execute("create table rows (id int primary key); insert into rows values (1)")
    source.execute(gated("late", "rows"))
    config = config_file([{"name": "early"}, {"name": "late"}], publish="together")
    with blocked(source_url) as until_read:
        run = start_daily("--config", config, "--skip-dbt")
        reader = until_read()
        assert run.stdout is not None
        while "early: 1 rows read" not in run.stdout.readline():
            pass
        source.execute("insert into early values (2); insert into rows values (2)")
        source.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s"
            " or application_name = 'daybreak' and state = 'idle in transaction'"
            "    and query not like 'lock%%' and datname = current_database()",
            [reader],
        )
    says(ended(run), 0, "early: 2 rows published", "late: 2 rows published")
    found = warehouse(OUTCOMES)
    assert sorted(found[:2])[0][:2] == ("early", "withheld")
    assert [outcome for _, outcome, _ in found] == ["failed", "withheld", "published", "published"]
    assert len({snapshot for _, outcome, snapshot in found if outcome == "published"}) == 1
