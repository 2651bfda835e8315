"""Runs that are killed: readers see the old rows or the new, and the next run needs no hand."""

import random
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.conftest import Start
from tests.faults.conftest import Copied
from tests.faults.steps import STEPS

Stopped = Callable[[str], subprocess.Popen[str]]
FEW = {"floor noted", "chunk read", "before commit", "committed"}
#: dbt is left out here; test_models.py kills it.
REACHED = [step for step in STEPS if step != "before the models"]
MOMENTS = 20


def few_or_all(names: list[str], few: set[str]) -> list[object]:
    """Parameters of which the short form of the suite runs a few."""
    return [pytest.param(name, marks=[] if name in few else pytest.mark.long) for name in names]


@pytest.mark.parametrize("step", few_or_all(REACHED, FEW))
def test_a_run_killed_at_any_step_leaves_whole_tables_and_the_next_run_completes(
    step: str, copied: Copied, stopped: Stopped
) -> None:
    run = stopped(step)
    run.kill()
    run.communicate()
    copied.is_whole()
    copied.sync()
    copied.equals_source()


@pytest.mark.parametrize(
    "moment",
    few_or_all([str(number) for number in range(MOMENTS)], {"0", "7", "13"}),
)
def test_a_run_killed_at_any_moment_leaves_whole_tables_and_the_next_run_completes(
    moment: str, copied: Copied, start_daily: Start
) -> None:
    run = start_daily("--config", copied.config, "--skip-dbt")
    time.sleep(random.Random(moment).uniform(0, 6))
    run.kill()
    run.communicate()
    copied.is_whole()
    copied.sync()
    copied.equals_source()
