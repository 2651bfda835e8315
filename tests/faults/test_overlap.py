"""Runs that overlap and runs that are repeated: one wins, the other says so, no row is doubled."""

import subprocess
from collections.abc import Callable

import psycopg
import pytest

from flows.backfill import backfill
from flows.daily import daily
from tasks.errors import PermanentError, TransientError
from tests.compare import assert_copied
from tests.conftest import ON_BOTH, Night, Run, Start, Write, ended, few_of, says
from tests.faults.conftest import GROWN, ROWS, WHOLE, Copied, Strike
from tests.faults.steps import ALL_STAGED, STEPS, once, strike

OUTCOMES = "select table_name, outcome from raw.sync_runs order by finished_at"
LAST = "select table_name, outcome from raw.sync_runs order by finished_at desc limit 1"


def another_run(copied: Copied) -> Callable[[], None]:
    """Changes every row and copies it, within the step of a run that began before."""

    def run() -> None:
        copied.change()
        copied.sync()

    return once(run)


@ON_BOTH
@pytest.mark.parametrize("table", ["whole", "grown"])
@pytest.mark.parametrize(
    "step", few_of(["snapshot taken", "before the lock", "audited"], "audited")
)
def test_a_run_that_another_overtakes_gives_way_to_its_newer_rows(
    step: str, table: str, copied: Copied, night: Night, at: Strike
) -> None:
    at(step, another_run(copied))
    night(copied.config, tables=[table])
    copied.equals_source()
    assert copied.warehouse(LAST) == [(table, "superseded")]


@pytest.mark.parametrize("publish", ["per_table", "together"])
def test_a_run_beside_which_some_rows_are_picked_is_not_taken_for_overtaken(
    publish: str,
    copied: Copied,
    night: Night,
    config_file: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody else copies the other rows; where tables are published together, nor the others."""
    config_file([WHOLE, GROWN], publish=publish, defaults={"retry_delay": "0s"})
    copied.change()

    def pick() -> None:
        with psycopg.connect(copied.source_url) as session:
            first = "select min(updated_at)::text, max(updated_at)::text from grown"
            start, end = session.execute(first).fetchone() or ("", "")
        backfill("grown", str(copied.config), start=start, end=end)

    step = STEPS["audited"] if publish == "per_table" else ALL_STAGED
    strike(step, once(pick), monkeypatch.setattr)
    if publish == "per_table":
        night(copied.config, tables=["grown"])
        assert_copied(copied.source_url, "grown", copied.warehouse)
        assert copied.warehouse(LAST) == [("grown", "published")]
        [(why,)] = copied.warehouse("select error from raw.sync_runs where outcome = 'failed'")
        assert "has published a part of grown" in why
    else:
        with pytest.raises(TransientError, match="has published a part of whole, grown"):
            night(copied.config)
        assert copied.warehouse("select distinct version from raw.whole") == [(1,)]
        night(copied.config)
        copied.equals_source()


@ON_BOTH
def test_two_first_runs_at_once_publish_each_table_once(
    uncopied: Copied, night: Night, at: Strike
) -> None:
    at("audited", once(uncopied.sync))
    night(uncopied.config)
    uncopied.equals_source()
    outcomes = uncopied.warehouse(OUTCOMES)
    assert len(outcomes) == 4
    assert {table for table, outcome in outcomes if outcome == "published"} == {"whole", "grown"}


def test_a_second_process_is_refused_while_the_first_goes_on(
    copied: Copied, stopped: Callable[[str], subprocess.Popen[str]], run_daily: Run
) -> None:
    first = stopped("chunk read")
    says(run_daily("--config", copied.config, "--skip-dbt"), 2, "is open in another process")
    out, _ = first.communicate("\n", timeout=120)
    assert first.returncode == 0, out
    copied.equals_source()


@pytest.mark.long
@pytest.mark.parametrize("warehouse", ["snowflake"], indirect=True)
def test_a_run_beside_another_waits_its_turn_and_reads_nothing_that_the_other_has_published(
    copied: Copied, stopped: Callable[[str], subprocess.Popen[str]], start_daily: Start
) -> None:
    first = stopped("chunk read")
    second = start_daily("--config", copied.config, "--skip-dbt")
    assert second.stdout is not None
    told = next(line for line in second.stdout if "another run is copying it" in line)
    table = told.split()[1].rstrip(":")
    first.communicate("\n", timeout=120)
    assert first.returncode == 0
    says(ended(second), 0, "superseded")
    copied.equals_source()
    read = "select outcome, rows_read from raw.sync_runs where table_name = ?"
    published = ("published", ROWS)
    assert sorted(copied.warehouse(read, table)) == [published, published, ("superseded", 0)]


@pytest.mark.usefixtures("night")
def test_a_retry_of_the_whole_night_reads_only_what_it_has_not_published(
    copied: Copied, at: Strike
) -> None:
    """Whichever table comes to it first fails; the other is published before the retry."""

    def fail() -> None:
        raise PermanentError("Something is wrong.", remedy="Try again.")

    at("all read", once(fail))
    daily.with_options(retries=1)(str(copied.config), skip_dbt=True)
    copied.equals_source()
    outcomes = copied.warehouse(OUTCOMES)[2:]
    assert sorted(outcome for _, outcome in outcomes) == ["failed", "published", "published"]


def test_a_night_that_is_run_again_changes_no_source_column(copied: Copied) -> None:
    copied.sync()
    copied.sync()
    copied.equals_source()
