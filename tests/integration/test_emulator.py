"""The Snowflake emulator itself: what the tests on it rest on."""

from pathlib import Path

from tests.emulator import Account, Emulator


def test_a_killed_emulator_keeps_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    server = Emulator(tmp_path)
    account = server.account()
    session = account.connect().cursor()
    session.execute("create schema raw")
    session.execute("create table raw.t (id number(10, 0))")
    session.execute("insert into raw.t values (1)")
    session.execute("begin")
    session.execute("insert into raw.t values (2)")
    server.kill()

    server = Emulator(tmp_path)
    assert Account(server.port, account.database).query("select id from raw.t") == [(1,)]
    server.kill()


def test_a_null_timestamp_is_read_as_none(snowflake: Account) -> None:
    asked = "select null::timestamp_ltz, null::timestamp_ntz, 1"
    assert snowflake.query(asked) == [(None, None, 1)]


def test_every_statement_is_written_down_with_its_tag(
    snowflake: Account, emulator: Emulator
) -> None:
    with snowflake.connect() as session:
        session.cursor().execute("select 41 + ?", (1,), _statement_params={"QUERY_TAG": "mine"})
    last = [*emulator.statements()][-1]
    assert last["sqlText"] == "select 41 + ?"
    assert last["parameters"]["QUERY_TAG"] == "mine"
