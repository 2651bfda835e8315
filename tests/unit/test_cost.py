"""What runs cost by recorded rows of Snowflake's usage views, and what is told of it."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
import sqlglot
from sqlglot import exp

from tasks.config import Config, Cost
from tasks.cost import Bill, bill_lines, costs, over_budget
from tasks.cpu import CpuShare, at_work
from tasks.errors import PermanentError
from tasks.warehouse import snowflake_cost
from tasks.warehouse.base import Warehouse
from tests.usage import Usage

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)
NIGHT = HOUR + timedelta(minutes=5)
CONFIG = Config.model_validate(
    {
        "source": {"demo": {}},
        "warehouse": {"kind": "snowflake"},
        "tables": [{"name": "t"}],
        "cost": {"credit_price": 3},
    }
)
Row = tuple[str | None, float | None, int | None, float | None, float | None]


@pytest.fixture
def usage() -> Usage:
    return Usage()


def refresh(usage: Usage) -> None:
    snowflake_cost.refresh(usage.query, "raw")


def found(usage: Usage, run: str = "r1") -> list[Row]:
    """Table, warehouse seconds, bytes, credits and cost of what the run did."""
    frame = costs(cast(Warehouse, usage), CONFIG)
    mine = frame.filter(frame["run_id"] == run).sort("table_name", nulls_last=True)
    return mine.select("table_name", "warehouse_seconds", "bytes_scanned", "credits", "cost").rows()


def test_queries_are_counted_to_the_table_and_run_of_their_tag(usage: Usage) -> None:
    usage.ran("r1", "orders", "stage", NIGHT, 2, 100, attributed=0.25)
    usage.ran("r1", "orders", "publish", NIGHT, 3, 50, attributed=0.25)
    usage.ran("r1", "sales.users", "publish", NIGHT, 1, 10, attributed=0.5)
    usage.ran("r1", None, "transform", NIGHT, 8, 7, attributed=1.0)
    usage.ran("r2", "orders", "publish", NIGHT, 5, 5, attributed=2.0)
    refresh(usage)
    assert found(usage) == [
        ("orders", 5, 150, 0.5, 1.5),
        ("users", 1, 10, 0.5, 1.5),
        (None, 8, 7, 1, 3),
    ]
    assert found(usage, "r2") == [("orders", 5, 5, 2, 6)]


def test_a_warehouses_idle_time_is_shared_in_proportion(usage: Usage) -> None:
    usage.ran("r1", "a", "publish", NIGHT, attributed=0.25)
    usage.ran("r1", "b", "publish", NIGHT, attributed=0.75)
    usage.ran("r1", "c", "publish", NIGHT + timedelta(hours=1), attributed=0.5)
    usage.metered(HOUR, used=3, attributed=1.5)
    usage.metered(HOUR + timedelta(hours=1), used=0.4, attributed=0.5)  # not complete yet
    refresh(usage)
    assert [(table, used) for table, _, _, used, _ in found(usage)] == [
        ("a", 0.5),
        ("b", 1.5),
        ("c", 0.5),
    ]


def test_a_later_run_fills_in_what_was_not_known_and_doubles_nothing(usage: Usage) -> None:
    usage.ran("r1", "orders", "publish", NIGHT, 2, 100, settled=False)
    refresh(usage)
    assert found(usage) == [("orders", 2, 100, None, None)], "the newest queries have no credits"
    usage.forget()
    usage.ran("r1", "orders", "publish", NIGHT, 2, 100, attributed=0.5)
    for _ in range(2):
        refresh(usage)
        assert found(usage) == [("orders", 2, 100, 0.5, 1.5)]


def test_what_is_older_than_the_days_read_stays_as_it_was(usage: Usage) -> None:
    old = NIGHT - timedelta(days=snowflake_cost.DAYS)
    usage.ran("r0", "orders", "publish", old, 2, attributed=0.5)
    usage.query(
        "insert into raw.sync_costs values ('r0', 'orders', 'publish', ?, 1, 9, 9, 9)", [old]
    )
    usage.ran("r0", "orders", "publish", old + timedelta(hours=13), 2, attributed=0.5)
    refresh(usage)
    [(_, seconds, *_)] = found(usage, "r0")
    assert seconds == 9, "a group that is read in part is not counted twice"


def test_without_the_privilege_own_queries_count_and_the_grant_is_told(usage: Usage) -> None:
    usage.may_read = False
    usage.ran("r1", "orders", "publish", NIGHT, 2, 100, attributed=0.5)
    with pytest.raises(PermanentError) as told:
        refresh(usage)
    assert "not authorized" in str(told.value)
    assert "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE LOADER;" in str(told.value)
    assert "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER;" in str(told.value)
    assert found(usage) == [("orders", 2, 100, None, None)]


def test_tags_of_others_and_untagged_queries_are_left_alone(usage: Usage) -> None:
    usage.ran("r1", "orders", "publish", NIGHT)
    usage.query("update own_queries set query_tag = ''")
    usage.query("update snowflake.account_usage.query_history set query_tag = 'dashboard {'")
    refresh(usage)
    assert found(usage) == []


def test_every_statement_is_snowflakes(usage: Usage) -> None:
    refresh(usage)
    for statement in usage.asked:
        parsed = sqlglot.parse_one(statement, dialect="snowflake")
        assert not isinstance(parsed, exp.Command)


COST = Cost(credit_price=3, monthly_budget=100, storage_price=23)


@pytest.mark.parametrize(
    ("used", "day", "expected"),
    [
        (10, 26, None),
        (40, 26, "This month has cost 120.00 USD, more than its budget of 100.00."),
        (20, 7, "At its pace this month costs 300.00 USD, more than its budget of 100.00."),
        (3, 2, None),  # a pace of a day tells nothing
        (33.3, 2, None),
        (34, 1, "This month has cost 102.00 USD, more than its budget of 100.00."),
    ],
)
def test_a_budget_warns_when_it_is_spent_or_will_be(
    used: float, day: int, expected: str | None
) -> None:
    today = datetime(2026, 11, day, 0, tzinfo=UTC)
    assert over_budget(COST, used, today) == expected
    assert over_budget(Cost(credit_price=3), used, today) is None


def test_a_bill_tells_run_month_storage_and_warning() -> None:
    bill = Bill(1, 12.34, 5_000_000_000, 0.21, 4.1, 2 * 1024**4, "Too much.")
    assert list(bill_lines(COST, bill)) == [
        "12.3 warehouse s, 5.0 GB scanned, 0.210 credits by now (0.63 USD)",
        "12.30 USD this month of 100.00, storage 2.2 TB (46.00 USD a month)",
        "Too much.",
    ]


def test_a_bill_without_credits_says_when_they_come() -> None:
    run, month = bill_lines(Cost(credit_price=3, currency="EUR"), Bill(1, 12.34, 0, None))
    assert run.startswith("12.3 warehouse s, 0 bytes scanned; ")
    assert "a later run" in run
    assert month == "0.00 EUR this month"


def test_cpu_time_is_shared_by_those_at_work_and_adds_up() -> None:
    def work() -> None:
        sum(n * n for n in range(300_000))

    first, second = CpuShare(), CpuShare()
    with at_work([first]):
        work()
        alone = first.seconds
        assert second.seconds == 0
        with at_work([second]):
            work()
    ended = first.seconds, second.seconds
    work()
    assert (first.seconds, second.seconds) == ended, "nobody is at work"
    assert first.seconds - alone == pytest.approx(second.seconds, rel=0.05)
    assert alone > 0
