"""A night on a database of the test's own, from the source's tables to the warehouse's."""

import json
import struct
from datetime import UTC, datetime

import psycopg
import pytest

from tasks.errors import DataQualityError, SyncFailed
from tasks.source.connection import SESSION
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Night, Write
from tests.warehouses import Copy

ORDERS = {"name": "orders", "mode": "incremental", "cursor": "updated_at"}
STAGED = "select count(*) from information_schema.tables where lower(table_name) like 'stg%'"
MARTS = "select count(*) from information_schema.schemata where lower(schema_name) = 'mart'"
MAKE_ORDERS = """
create table orders (id bigint primary key, status text, amount numeric(12, 2),
                     updated_at timestamptz default now());
"""


@ON_BOTH
def test_a_full_refresh_replaces_every_row(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key, name text)")
    source.execute("insert into t values (1, 'a'), (2, 'b')")
    config = config_file([{"name": "t"}])
    night(config)
    source.execute("delete from t where id = 1")
    source.execute("update t set name = 'c' where id = 2")
    night(config)
    assert warehouse("select id, name from raw.t") == [(2, "c")]


@ON_BOTH
def test_an_incremental_night_reads_what_changed_and_keeps_the_rest(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute(MAKE_ORDERS)
    source.execute(
        "insert into orders select g, 'placed', g / 100.0, now() - g * interval '1 hour'"
        " from generate_series(1, 500) g"
    )
    config = config_file([ORDERS])
    night(config)
    source.execute("update orders set status = 'shipped', updated_at = now() where id = 7")
    source.execute("insert into orders values (501, 'placed', 1, now()), (502, 'odd', 1, null)")
    night(config)
    assert warehouse("select count(*), count(distinct id) from raw.orders") == [(502, 502)]
    assert warehouse("select status from raw.orders where id = 7") == [("shipped",)]
    assert warehouse(
        "select rows_read < 500 from raw.sync_runs order by finished_at desc limit 1"
    ) == [(True,)]


@ON_BOTH
def test_a_row_that_commits_after_the_snapshot_with_an_older_timestamp_arrives_the_next_night(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    night: Night,
    warehouse: Copy,
) -> None:
    source.execute(MAKE_ORDERS)
    config = config_file([{**ORDERS, "lag": "0"}])
    with psycopg.connect(source_url) as late:
        late.execute("insert into orders values (1, 'late', 1, now())")
        source.execute("insert into orders values (2, 'placed', 1, clock_timestamp())")
        night(config)
        assert warehouse("select id from raw.orders") == [(2,)]
    night(config)
    assert sorted(warehouse("select id from raw.orders")) == [(1,), (2,)]


@ON_BOTH
def test_rows_that_break_a_rule_become_dead_letters_until_they_are_mended(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute(MAKE_ORDERS)
    source.execute(
        "insert into orders values (1, 'lost', 1), (2, 'placed', 'NaN'), (3, 'placed', 2)"
    )
    config = config_file([{**ORDERS, "rules": {"accepted": {"status": ["placed"]}}}])
    night(config)
    letters = (
        "select row_key, rule, column_name, value from raw.dead_letters where closed_at is null"
    )
    assert sorted(warehouse(letters)) == [
        ('{"id":"1"}', "accepted", "status", "lost"),
        ('{"id":"2"}', "unrepresentable", "amount", "NaN"),
    ]
    source.execute("update orders set status = 'placed', amount = 1, updated_at = now()")
    night(config)
    assert warehouse(letters) == []
    assert warehouse("select count(*) from raw.orders") == [(3,)]


@SNOWFLAKE_IN_LONG
def test_one_failed_table_stops_dbt_and_the_night_but_not_the_others_and_is_not_retried(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table good (id int primary key); insert into good values (1)")
    source.execute("create table shrinking (id int primary key)")
    source.execute("insert into shrinking select generate_series(1, 200)")
    config = config_file([{"name": "good"}, {"name": "shrinking"}])
    night(config)
    source.execute("insert into good values (2); delete from shrinking where id > 10")
    with pytest.raises(SyncFailed, match=r"shrinking: The source has 10 rows.*max_shrink_ratio"):
        night(config, skip_dbt=False)
    assert warehouse("select count(*) from raw.good") == [(2,)]
    assert warehouse("select count(*) from raw.shrinking") == [(200,)]
    assert warehouse(STAGED) == [(0,)]
    assert warehouse("select count(*) from raw.sync_runs where outcome = 'failed'") == [(1,)]
    assert warehouse(MARTS) == [(0,)]


@SNOWFLAKE_IN_LONG
def test_a_query_that_fails_while_it_is_read_is_told_in_postgresqls_words(
    source: psycopg.Connection, config_file: Write, night: Night
) -> None:
    source.execute("create view t as select 1 / (g - 90000) n from generate_series(1, 100000) g")
    with pytest.raises(SyncFailed, match=r"t: PostgreSQL said: division by zero \(22012\)\."):
        night(config_file([{"name": "t"}]))


@SNOWFLAKE_IN_LONG
def test_a_table_that_stays_locked_is_told_instead_of_waited_for(
    source: psycopg.Connection,
    source_url: str,
    config_file: Write,
    night: Night,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SESSION, "lock_timeout", "200ms")
    source.execute("create table t (id int primary key)")
    with psycopg.connect(source_url) as other:
        other.execute("lock table t in access exclusive mode")
        with pytest.raises(SyncFailed, match=r"t: .*Another session holds a lock"):
            night(config_file([{"name": "t"}]))


@ON_BOTH
def test_hostile_names_arrive_as_they_are(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    names = ["select", "Mixed Case", 'a "quote"', "it's", "1st", "Größe", "per%cent", "back\\slash"]
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    columns = ", ".join(f"{name} text" for name in quoted.split(", "))
    values = [f"{name}; drop table t" for name in names]
    source.execute(f'create table "Order Items" (id int primary key, at timestamptz, {columns})')
    source.execute(
        f'insert into "Order Items" values (1, now(), {", ".join(["%s"] * len(names))})', values
    )
    config = config_file(
        [{"name": "Order Items", "mode": "incremental", "cursor": "at", "key": ["id"]}]
    )
    night(config)
    night(config)
    assert warehouse(f'select {quoted} from raw."Order Items"') == [tuple(values)]


@ON_BOTH
def test_every_value_arrives_as_postgresql_spells_it(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute(
        """
        create type mood as enum ('sad', 'ok');
        create table types (
            id int primary key, small smallint, big bigint, exact numeric(38, 9), loose numeric,
            single real, wide float8, flag boolean, note text, code char(5), day date,
            at timestamp, at_zone timestamptz, clock time, uid uuid, doc jsonb, raw json,
            names text[], feeling mood, span interval, address inet, cents money, bits bit(3),
            during int4range);
        insert into types values
            (1, -32768, 9223372036854775807, 12345678901234567890123456789.123456789, 1e-40,
             0.1, 1e300, true, E'é\\n"\\\\', 'ab', '0001-01-01', '9999-12-31 23:59:59.999999',
             '2026-03-29 01:30:00.000001+01', '23:59:59.999999',
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"a":1,"a":2}',
             '{{a,b},{c,NULL}}', 'ok', '1 mon -2 days 03:04:05', '::1/64', 12.34, B'101', '[1,5)');
        insert into types (id) values (2);
        """
    )
    night(config_file([{"name": "types"}]))
    as_text = (
        "id, small, big, exact, loose, flag, note, code, day, at, clock, uid, raw, feeling,"
        " span, address, cents, bits, during"
    )
    columns = [f'"{name.strip()}"' for name in as_text.split(",")]
    source.execute("set datestyle = 'ISO'; set timezone = 'UTC'")
    expected = source.execute(
        f"select {', '.join(f'{name}::text' for name in columns)} from types order by id"
    ).fetchall()
    found = warehouse(
        f"select {', '.join(f'{name}::varchar' for name in columns)} from raw.types order by id"
    )
    assert found == expected
    [(at_zone, single, wide, doc, names)] = warehouse(
        "select at_zone, single, wide, doc::varchar, names::varchar from raw.types where id = 1"
    )
    assert at_zone == datetime(2026, 3, 29, 0, 30, 0, 1, tzinfo=UTC)
    assert (single, wide) == (struct.unpack("f", struct.pack("f", 0.1))[0], 1e300)
    assert json.loads(doc) == {"a": [1, None]}
    assert json.loads(names) == [["a", "b"], ["c", None]]


@ON_BOTH
def test_a_copy_that_is_named_like_staging_survives_the_next_nights(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    names = ["stg_stripe__payments", "stg_old__0123456789ab"]
    for name in names:
        source.execute(f"create table {name} (id int primary key, updated_at timestamptz)")
        source.execute(f"insert into {name} values (1, now())")
    config = config_file([{**ORDERS, "name": name} for name in names])
    for _ in range(2):
        night(config)
        for name in names:
            assert warehouse(f"select id from raw.{name}") == [(1,)]


@SNOWFLAKE_IN_LONG
def test_a_table_that_could_not_begin_is_in_the_ledger_with_the_reason(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key)")
    config = config_file([{"name": "t", "schema_change": "freeze"}])
    night(config)
    source.execute("alter table t add column note text")
    with pytest.raises(SyncFailed, match="schema_change is freeze"):
        night(config)
    [(error,)] = warehouse("select error from raw.sync_runs where outcome = 'failed'")
    assert "schema_change is freeze" in error


@SNOWFLAKE_IN_LONG
def test_a_query_under_quality_may_end_in_a_comment(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key); insert into t values (1), (2)")
    query = "select id from raw.t\nwhere id > 1 -- none is expected\n"
    config = config_file([{"name": "t"}], quality=[{"relation": "raw.t", "sql": {"low": query}}])
    with pytest.raises(DataQualityError, match="sql low is 1"):
        night(config)
    assert warehouse("select measured from raw.quality_results where check_name = 'sql low'") == [
        (1,)
    ]


@SNOWFLAKE_IN_LONG
def test_a_changed_column_is_told_once_in_the_summary(
    source: psycopg.Connection,
    config_file: Write,
    night: Night,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source.execute("create table t (id int primary key, note text)")
    config = config_file([{"name": "t"}])
    night(config)
    source.execute("alter table t rename note to remark")
    told = "t: column note is called remark now"
    for times in (1, 0):
        capsys.readouterr()
        night(config)
        assert capsys.readouterr().out.splitlines().count(told) == times
