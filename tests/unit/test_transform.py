"""The judgement of dbt's run_results.json."""

import pytest

from tasks.transform import Built, judge


def result(node: str, status: str, message: str | None = None) -> dict[str, str]:
    return {"unique_id": node, "status": status, "message": message or ""}


@pytest.mark.parametrize("status", ["success", "pass", "warn"])
@pytest.mark.parametrize(
    ("node", "models", "tests"),
    [
        ("model.daybreak.orders", 1, 0),
        ("test.daybreak.unique_orders.1a2b", 0, 1),
        ("unit_test.daybreak.orders.adds_up", 0, 1),
    ],
)
def test_what_passed_is_counted_by_its_kind(
    node: str, models: int, tests: int, status: str
) -> None:
    assert judge({"results": [result(node, status)]}) == Built(models, tests, [])


@pytest.mark.parametrize("status", ["error", "fail", "runtime error", "partial success"])
@pytest.mark.parametrize(
    ("message", "told"),
    [("Got 3 results", "Got 3 results"), (" a\nb\n", "a b"), (None, "no message")],
)
def test_what_failed_is_named_with_its_message_on_one_line(
    status: str, message: str | None, told: str
) -> None:
    built = judge({"results": [result("test.daybreak.unique_orders.1a2b", status, message)]})
    assert built == Built(0, 0, [f"test unique_orders ({told})"])


def test_the_result_of_each_node_counts_on_its_own() -> None:
    results = [
        result("model.daybreak.users", "success"),
        result("model.daybreak.orders", "error", "no such column"),
        result("test.daybreak.unique_users.1a2b", "pass"),
    ]
    assert judge({"results": results}) == Built(1, 1, ["model orders (no such column)"])


def test_a_skipped_node_is_not_counted_as_passed() -> None:
    built = judge({"results": [result("model.daybreak.orders", "skipped")]})
    assert (built.models, built.tests) == (0, 0)


def test_a_node_with_nothing_to_do_is_not_a_failure() -> None:
    assert judge({"results": [result("exposure.daybreak.dashboard", "no-op")]}).failed == []


def test_an_empty_build_passes_nothing() -> None:
    assert judge({"results": []}) == Built(0, 0, [])
