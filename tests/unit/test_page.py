"""The report page from rows of the ledger: what it shows, escapes and leaves out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tasks.page import _frame
from tasks.pages.page import LedgerRows, page
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
        "breached": True,
        "measured_at": NOW,
    }
    said = shown([run()], checks=[check])
    assert "<li>mart.orders: rows is 7.0, expected at least 10</li>" in said
    assert ">breached<" in said


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
    assert "model.shop.orders" in said
    assert "gone" not in said


def test_costs_are_summed_by_table_and_what_tables_share_is_said_so() -> None:
    step = {"run_id": "r", "table_name": "orders", "started_at": NOW, "credits": 0.25}
    said = shown([run()], costs=[step, step, {**step, "table_name": None, "credits": 4.0}])
    assert ">0.5<" in said
    assert "shared, such as dbt" in said


@pytest.mark.parametrize("name", ["table_name", "error", "run_id"])
def test_names_and_messages_are_never_html(name: str) -> None:
    said = shown([run() | {"outcome": "failed", "error": "x", name: HOSTILE}])
    assert "<script" not in said
    assert "&lt;script&gt;" in said


def test_a_page_of_10000_runs_stays_small_and_refers_to_nothing_outside() -> None:
    runs = [
        run(
            number // 20,
            table_name=f"table {number % 20}",
            rows_published=number,
            finished_at=NOW - timedelta(minutes=number),
        )
        for number in range(10_000)
    ]
    said = shown(runs)
    assert len(said.encode()) < 3_000_000
    assert "http" not in said
    assert "url(" not in said.replace("url(#", "")
