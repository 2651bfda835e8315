"""Statements that Snowflake never hears, never answers, refuses or never ends.

Whatever strikes a night of one try: the old rows stand, and the next run is exact and leaves
nothing staged.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks import blocks
from tasks.errors import SyncFailed, TransientError
from tasks.warehouse import snowflake_session
from tests.conftest import Night, Write, few_of
from tests.emulator import Emulator
from tests.emulator_faults import Fault
from tests.faults.conftest import GROWN, ROWS, WHOLE, Copied
from tests.warehouses import SnowflakeCopy, opened

pytestmark = pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)


@dataclass(frozen=True)
class Strike:
    """What happens to which statement of which table's sync, and what is said of it."""

    fault: Fault
    statement: str
    table: str = "whole"

    @property
    def words(self) -> str:
        return {
            "unheard": "Session no longer exists",
            "unanswered": "answer broke off",
            "refused": "Numeric value 'x' is not recognized",
            "hung": "SQL execution canceled",
        }[self.fault]


STRIKES = {
    "the session is lost at a PUT": Strike("unheard", "put"),
    "the COPY's answer is lost": Strike("unanswered", "copy into"),
    "the COPY hangs": Strike("hung", "copy into"),
    "the BEGIN's answer is lost": Strike("unanswered", "begin"),
    "the replacement's answer is lost": Strike("unanswered", "insert overwrite into"),
    "the replacement is refused": Strike("refused", "insert overwrite into"),
    "the replacement hangs": Strike("hung", "insert overwrite into"),
    "the delete's answer is lost": Strike("unanswered", "delete from", "grown"),
    "the insert after the delete is refused": Strike(
        "refused", 'insert into "RAW"."GROWN"', "grown"
    ),
    "the insert after the delete hangs": Strike("hung", 'insert into "RAW"."GROWN"', "grown"),
    "the session is lost at the state": Strike("unheard", 'update "RAW".sync_state', "grown"),
    "the COMMIT is not heard": Strike("unheard", "commit", "grown"),
    "the COMMIT hangs": Strike("hung", "commit"),
}
FEW = (
    *("the COPY's answer is lost", "the replacement hangs", "the insert after the delete hangs"),
    "the COMMIT is not heard",
)
RETRIED = ("the delete's answer is lost", "the COPY hangs")


@pytest.fixture(autouse=True)
def short_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hung statements are given up after seconds, not an hour."""
    monkeypatch.setattr(snowflake_session, "STATEMENT_SECONDS", 5)


@pytest.mark.parametrize("strike", few_of(STRIKES.values(), *map(STRIKES.get, FEW)), ids=STRIKES)
def test_a_night_that_is_struck_leaves_the_old_rows_and_the_next_is_exact(
    strike: Strike, copied: Copied, config_file: Write, night: Night, emulator: Emulator
) -> None:
    config_file([WHOLE, GROWN], defaults={"retries": 0})
    emulator.strike(strike.statement, strike.fault)
    with pytest.raises(SyncFailed, match=strike.words):
        night(copied.config, tables=[strike.table])
    versions = f"select version, count(*) from raw.{strike.table} group by version"
    assert copied.warehouse(versions) == [(1, ROWS)]
    assert copied.warehouse.staged() == []
    assert copied.warehouse("select table_name from raw.sync_runs where outcome = 'failed'") == [
        (strike.table,)
    ]
    copied.sync()
    copied.equals_source()


def test_a_commit_whose_answer_is_lost_is_found_in_the_ledger_and_not_repeated(
    copied: Copied, night: Night, emulator: Emulator
) -> None:
    emulator.strike("commit", "unanswered")
    night(copied.config)
    copied.equals_source()
    assert copied.warehouse("select version from raw.sync_state") == [(2,), (2,)]
    outcomes = copied.warehouse("select outcome, count(*) from raw.sync_runs group by outcome")
    assert outcomes == [("published", 4)]


@pytest.mark.parametrize(
    "strike",
    few_of([Strike("unheard", "upload"), *map(STRIKES.get, RETRIED)], STRIKES[RETRIED[0]]),
    ids=lambda strike: strike.statement,
)
def test_a_night_with_retries_mends_a_struck_table_by_itself(
    strike: Strike, copied: Copied, night: Night, emulator: Emulator
) -> None:
    emulator.strike(strike.statement, strike.fault)
    night(copied.config)
    copied.equals_source()
    failures = copied.warehouse("select count(*) from raw.sync_runs where outcome = 'failed'")
    assert failures == [(1,)]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("warehouse")
def test_a_snowflake_that_is_gone_is_given_up_long_before_a_statement_would_be(
    open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_session, "STATEMENT_SECONDS", 3600)
    monkeypatch.setitem(blocks.TIMEOUTS, "network_timeout", 3)
    server = Emulator(open_path)
    monkeypatch.setenv("SNOWFLAKE_PORT", str(server.port))
    with opened(SnowflakeCopy(server.account())) as session:
        server.kill()
        with pytest.raises(TransientError, match="no answer for 3 s"):
            session.query("select 1")
