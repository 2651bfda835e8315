"""Random histories, on every mode; and that they would find the mistakes they are made to find."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.histories import CLOCKS, History

GROWN: dict[str, Any] = {"mode": "incremental", "cursor": "updated_at"}
MODES: dict[str, dict[str, Any]] = {
    "full_refresh": {"table": {}, "deletes": True},
    "incremental": {"table": {**GROWN, "lag": "0"}},
    "incremental with a lag": {
        "table": {**GROWN, "lag": "10m"},
        "clocks": [*CLOCKS, "clock_timestamp() - interval '9 minutes'"],
    },
}
SOME = settings(
    max_examples=4,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(SOME, max_examples=200, stateful_step_count=40, derandomize=False)
Follow = Callable[[str, settings], None]


@pytest.fixture
def follow(source_url: str, tmp_path: Path) -> Follow:
    """Follows random histories of a table of a mode, until one ends with another copy."""

    def run(mode: str, how: settings) -> None:
        kind = type("Case", (History,), {"url": source_url, "folder": tmp_path, **MODES[mode]})
        run_state_machine_as_test(kind, settings=how)

    return run


@pytest.mark.parametrize("mode", MODES)
def test_every_history_ends_with_an_equal_copy(mode: str, follow: Follow) -> None:
    follow(mode, SOME)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
def test_many_histories_end_with_an_equal_copy(mode: str, follow: Follow) -> None:
    follow(mode, MANY)
