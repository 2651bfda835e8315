"""Runs that are killed: readers see the old rows or the new, and the next run needs no hand."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tasks.command import DEMO
from tasks.source import demo
from tasks.transform import RESULTS
from tests.conftest import Run, Start, Write, few_of, says
from tests.faults.conftest import Copied
from tests.faults.steps import STEPS

Stopped = Callable[[str], subprocess.Popen[str]]
#: These runs build no models.
REACHED = [step for step in STEPS if step != "before the models"]
MOMENTS = 20


@pytest.mark.parametrize("step", few_of(REACHED, "chunk read", "before commit", "committed"))
def test_a_run_killed_at_any_step_leaves_whole_tables_and_the_next_run_completes(
    step: str, copied: Copied, stopped: Stopped
) -> None:
    run = stopped(step)
    run.kill()
    run.communicate()
    copied.is_whole()
    copied.sync()
    copied.equals_source()


@pytest.mark.parametrize("moment", few_of(range(MOMENTS), 0, 7, 13))
def test_a_run_killed_at_any_moment_leaves_whole_tables_and_the_next_run_completes(
    moment: int, copied: Copied, stopped: Stopped
) -> None:
    run = stopped("before the plan")
    assert run.stdin is not None
    run.stdin.write("\n")
    run.stdin.flush()
    time.sleep(random.Random(moment).uniform(0, 3))
    run.kill()
    run.communicate()
    copied.is_whole()
    copied.sync()
    copied.equals_source()


@pytest.mark.long
def test_dbt_ends_with_the_run_that_is_killed_and_the_next_run_completes(
    source_url: str, config_file: Write, start_daily: Start, run_daily: Run
) -> None:
    demo.seed(source_url, scale=0.01)
    config = config_file(yaml.safe_load(DEMO.read_text())["tables"])
    run = start_daily("--config", config)
    while not (dbt := children(run.pid, "tasks.dbt_process")):
        time.sleep(0.02)
    run.kill()
    run.communicate()
    while read(dbt[0] / "cmdline"):
        time.sleep(0.02)
    assert not RESULTS.exists()
    says(run_daily("--config", config), 0, "dbt: ", "tests passed")


def children(parent: int, program: str) -> list[Path]:
    """The folders in /proc of a process's children that run a program."""
    threads = Path(f"/proc/{parent}/task").glob("*")
    found = [Path(f"/proc/{pid}") for each in threads for pid in read(each / "children").split()]
    return [each for each in found if program in read(each / "cmdline")]


def read(file: Path) -> str:
    """What /proc says; nothing of a thread or process that has ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
