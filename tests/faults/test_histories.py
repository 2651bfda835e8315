"""Random histories, on every mode; and that they would find the mistakes they are made to find."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tasks.transfer.watermark import changed_since, lower_bound
from tasks.warehouse.ledger import ADVANCE_STATE
from tests.conftest import few_of
from tests.faults.histories import CLOCKS, History

GROWN: dict[str, Any] = {"mode": "incremental", "cursor": "updated_at"}
MODES: dict[str, dict[str, Any]] = {
    "full_refresh": {"table": {}, "deletes": True},
    "incremental": {"table": {**GROWN, "lag": "0"}},
    "append_only": {"table": {**GROWN, "lag": "0", "append_only": True}, "updates": False},
    "partition_overwrite": {
        "table": {**GROWN, "mode": "partition_overwrite", "partition_by": "part", "lag": "0"}
    },
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
MANY = settings(SOME, max_examples=60, stateful_step_count=40, derandomize=False)
# A mistake that is found is not looked for in shorter histories.
FIND = settings(SOME, max_examples=40, phases=[Phase.generate], report_multiple_bugs=False)
Follow = Callable[[str, settings], None]
#: A mistake of each kind, with the mode it shows in, and what it puts in the place of what.
MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "no floor": (
        "incremental",
        {"tasks.source.snapshot.OLDEST": "select null, null, null, null where false"},
    ),
    "no lag": (
        "incremental with a lag",
        {
            "tasks.attempt.lower_bound": lambda mark, table, cursor: lower_bound(
                mark, table.model_copy(update={"lag": timedelta()}), cursor
            )
        },
    ),
    "no NULL branch": (
        "incremental",
        {"tasks.transfer.selection.changed_since": lambda *since: changed_since(*since)[:1]},
    ),
    "no lock": (
        "full_refresh",
        {"tasks.transfer.extract.guarded": lambda *_: nullcontext()},
    ),
    "no version guard": (
        "full_refresh",
        {
            "tasks.warehouse.ledger.Ledger.check_state": lambda *_: None,
            "tasks.warehouse.ledger.ADVANCE_STATE": ADVANCE_STATE.replace(
                "and version = ?", "and version >= 0 * ?"
            ),
        },
    ),
}


@pytest.fixture
def follow(source_url: str, tmp_path: Path) -> Follow:
    """Follows random histories of a table of a mode, until one ends with another copy."""

    def run(mode: str, how: settings) -> None:
        kind = type("Case", (History,), {"url": source_url, "folder": tmp_path, **MODES[mode]})
        run_state_machine_as_test(kind, settings=how)

    return run


@pytest.mark.parametrize(
    "mode", few_of(MODES, "full_refresh", "incremental with a lag", "partition_overwrite")
)
def test_every_history_ends_with_an_equal_copy(mode: str, follow: Follow) -> None:
    follow(mode, SOME)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
def test_many_histories_end_with_an_equal_copy(mode: str, follow: Follow) -> None:
    follow(mode, MANY)


@pytest.mark.parametrize("mistake", few_of(MISTAKES, "no floor"))
def test_a_history_finds_a_mistake_that_is_made_on_purpose(
    mistake: str, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode, wrong = MISTAKES[mistake]
    for place, what in wrong.items():
        monkeypatch.setattr(place, what)
    with pytest.raises(AssertionError):
        follow(mode, FIND)
