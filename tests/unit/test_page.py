"""The report page from rows of the ledger: what it shows, escapes and leaves out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tasks.page import _frame
from tasks.pages.page import LedgerRows, page
from tasks.pages.waterfall import steps, waterfall
from tasks.warehouse.tables import TABLES

NOW = datetime(2026, 1, 31, 3, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'


def rows(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table of the ledger, of which most columns are NULL."""
    return _frame([tuple(one.get(name) for name in TABLES[table]) for one in given], table)


def run(number: int = 0, **given: Any) -> dict[str, Any]:
    return {
        "run_id": f"run {number}",
        "table_name": "orders",
        "outcome": "published",
        "rows_published": 1234,
        "rows_dead_lettered": 0,
        "seconds": 1.5,
        "finished_at": NOW - timedelta(hours=1),
        **given,
    }


def shown(
    runs: list[dict[str, Any]],
    checks: list[dict[str, Any]] | None = None,
    letters: list[dict[str, Any]] | None = None,
    reconciled: list[dict[str, Any]] | None = None,
    costs: list[dict[str, Any]] | None = None,
    built: list[dict[str, Any]] | None = None,
) -> str:
    return page(
        LedgerRows(
            rows("sync_runs", *runs),
            rows("quality_results", *(checks or [])),
            rows("dead_letters", *(letters or [])),
            rows("reconcile_results", *(reconciled or [])),
            rows("sync_costs", *(costs or [])),
            rows("dbt_results", *(built or [])),
        ),
        ["orders", "users"],
        ["2.00 USD this month of <3"],
        NOW,
    )


def test_an_empty_ledger_makes_a_page_that_says_so() -> None:
    said = shown([])
    for words in ("No run is in the ledger yet", "No table was copied yet", "run <code>reconcile"):
        assert words in said


def test_one_good_run_is_shown_with_its_figures() -> None:
    said = shown([run()])
    assert "Every table copied, every check met" in said
    assert "1 of 1 tables copied" in said
    assert "1,234 rows published" in said
    assert "ended 2026-01-31 02:00" in said


def test_a_failed_table_needs_a_person() -> None:
    said = shown([run(), run(table_name="users", outcome="failed", error="users: It is locked.")])
    assert ">Failed</p>" in said
    assert "<li>users: It is locked.</li>" in said


def test_only_the_last_attempt_of_a_run_counts() -> None:
    earlier = run(outcome="failed", error="lost", finished_at=NOW - timedelta(hours=2))
    assert "Needs a person" not in shown([run(), earlier])


def test_a_breach_needs_a_person_and_is_shown_beside_its_threshold() -> None:
    check = {
        "run_id": "run 0",
        "relation": "mart.orders",
        "check_name": "rows",
        "measured": 7.0,
        "threshold": "at least 10",
        "at_least": 10.0,
        "breached": True,
        "measured_at": NOW,
    }
    said = shown([run()], checks=[check])
    assert "<li>mart.orders: rows is 7.0, expected at least 10</li>" in said
    assert ">breached<" in said
    assert "stroke-dasharray" in said
    assert "stroke-dasharray" not in shown([run()], checks=[check | {"at_least": None}])


def test_figures_over_time_are_told_to_those_who_do_not_see_them() -> None:
    nights = [
        run(n, rows_published=rows, finished_at=NOW - timedelta(days=2 - n))
        for n, rows in enumerate((10, 1234, 30))
    ]
    said = shown([*nights, run(3, outcome="failed", rows_published=None)])
    assert 'aria-label="rows over time: 3 from 10 to 1,234, the last 30"' in said
    assert 'aria-label="hours between copies: 2 from 24 to 24, the last 24"' in said


def test_a_table_that_is_no_longer_configured_comes_last_and_says_so() -> None:
    said = shown([run(table_name="a"), run(table_name="users"), run(outcome="failed")])
    assert "published, no longer configured" in said
    assert said.index(">failed<") < said.index(">users<") < said.index(">a<")


def test_only_so_many_tables_are_drawn_and_the_page_says_so() -> None:
    said = shown([run(table_name=f"t{n:03}") for n in range(101)])
    assert "Only the first 100 of 101 are drawn over time." in said
    assert ">t100<" in said


def test_the_slowest_steps_are_drawn_from_when_they_began() -> None:
    node = {
        "run_id": "run 0",
        "node": "model.shop.mart",
        "status": "error",
        "seconds": 2.0,
        "finished_at": NOW - timedelta(minutes=59),
    }
    runs = [run(seconds=3.0), run(1, table_name="old", finished_at=NOW - timedelta(days=1))]
    given = rows("sync_runs", *runs), rows("dbt_results", node)
    assert steps(*given).rows() == [
        ("orders", 0.0, 3.0, 3.0, False),
        ("model mart", 61.0, 2.0, 63.0, True),
    ]
    assert 'aria-label="orders 3.0 s; model mart 2.0 s"' in waterfall(*given)


def test_open_letters_are_counted_by_rule_with_samples_and_closed_ones_left_out() -> None:
    letter = {
        "table_name": "orders",
        "row_key": '{"id": "7"}',
        "rule": "not_null",
        "column_name": "customer_id",
        "previous_version_kept": False,
        "first_seen": NOW,
        "last_seen": NOW,
    }
    closed = {**letter, "row_key": '{"id": "8"}', "closed_at": NOW}
    said = shown([run()], letters=[letter, closed])
    assert "1 dead letters open" in said
    assert "{&quot;id&quot;: &quot;7&quot;} = NULL" in said
    assert "&quot;8&quot;" not in said


def test_the_newest_comparison_of_each_table_is_shown() -> None:
    compared = {"table_name": "orders", "rows_different": 3, "compared_at": NOW, "repaired": True}
    assert ">3<" in shown([run()], reconciled=[compared])


def test_schema_changes_are_shown_with_their_table() -> None:
    said = shown([run(schema_changes="the column note was added")])
    assert "the column note was added" in said


def test_the_nodes_of_the_last_build_are_shown_with_their_time() -> None:
    node = {"run_id": "run 0", "node": "model.shop.orders", "status": "success", "seconds": 2.5}
    older = {**node, "run_id": "run 1", "node": "model.shop.gone"}
    said = shown(
        [run()],
        built=[
            {**node, "finished_at": NOW},
            {**older, "finished_at": NOW - timedelta(days=1)},
        ],
    )
    assert ">orders<" in said
    assert ">2.5<" in said
    assert ">model orders<" in said
    assert "gone" not in said


def test_costs_are_summed_by_table_and_what_tables_share_is_said_so() -> None:
    step = {"run_id": "r", "table_name": "orders", "started_at": NOW, "credits": 0.25}
    said = shown([run()], costs=[step, step, {**step, "table_name": None, "credits": 4.0}])
    assert ">0.5<" in said
    assert "shared, such as dbt" in said
    assert "<p>2.00 USD this month of &lt;3</p>" in said


@pytest.mark.parametrize("name", ["table_name", "error", "run_id"])
def test_names_and_messages_are_never_html(name: str) -> None:
    said = shown([run() | {"outcome": "failed", "error": "x", name: HOSTILE}])
    assert "<script" not in said
    assert "&lt;script&gt;" in said


@pytest.mark.parametrize("tables", [20, 1000])
def test_a_page_of_10000_runs_stays_small_and_refers_to_nothing_outside(tables: int) -> None:
    runs = [
        run(
            number // tables,
            table_name=f"table {number % tables}",
            rows_published=number,
            finished_at=NOW - timedelta(minutes=number),
        )
        for number in range(10_000)
    ]
    said = shown(runs)
    assert len(said.encode()) < 3_000_000
    outside = said.replace("http://www.w3.org/2000/svg", "").replace(
        "http://www.w3.org/1999/xlink", ""
    )
    assert "http" not in outside
    assert "url(" not in outside.replace("url(#", "")
