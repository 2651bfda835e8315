"""The end of an attempt: its staged table made visible, withheld, or given up."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.attempt import Attempt, Outcome, Prepared, ledger_row, new_id, outcome_of
from tasks.cpu import at_work
from tasks.errors import DaybreakError, StaleSnapshot
from tasks.logs import log
from tasks.table import Table
from tasks.warehouse.base import Warehouse


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(warehouse: Warehouse, prepared: list[Prepared]) -> list[Outcome]:
    """Publishes attempts in one transaction with their ledger rows.

    When other runs were faster with all of them, says so and leaves those runs' rows alone.

    Raises:
        StaleSnapshot: When what others were faster with was not all of it.
    """
    with recorded(warehouse, [one.attempt for one in prepared]):
        publications = [one.publication() for one in prepared]
        if not warehouse.publish(publications):
            check_overtaken(warehouse, [one.attempt for one in prepared])
            return _kept_back(warehouse, prepared, "superseded")
    for one in prepared:
        name, dead = one.attempt.table.name, f"{one.extracted.rows_dead:,}"
        log.info("%s: %s rows published, %s dead letters", name, f"{one.staged.rows:,}", dead)
        _discard(warehouse, one.attempt)
    return [
        outcome_of(publication.record, one.attempt.table, one.attempt.evolution.changes)
        for one, publication in zip(prepared, publications, strict=True)
    ]


def check_overtaken(warehouse: Warehouse, attempts: list[Attempt]) -> None:
    """Says that others have published the tables, so that this run need not.

    Raises:
        StaleSnapshot: When one of them nobody has, or only rows that were picked beside the nights.
    """
    names = ", ".join(attempt.table.name for attempt in attempts)
    for attempt in attempts:
        table = attempt.table.target
        if not (_is_overtaken(warehouse, attempt) and warehouse.is_copied_whole(table)):
            raise StaleSnapshot(
                f"Another run has published a part of {names} since it was read.",
                remedy="A retry reads it again; after the last, run again once that run has ended.",
            )
    log.info("%s: another run published it first, and its rows stand", names)


def _is_overtaken(warehouse: Warehouse, attempt: Attempt) -> bool:
    return warehouse.state(attempt.table.target).version != attempt.state.version


def given_way(warehouse: Warehouse, attempt: Attempt) -> Outcome | None:
    """What to tell of an attempt that need not read: another run has published since it began.

    Raises as `check_overtaken` does.
    """
    if not _is_overtaken(warehouse, attempt):
        return None
    check_overtaken(warehouse, [attempt])
    record = attempt.record("superseded")
    warehouse.record(record)
    return outcome_of(record, attempt.table)


def withhold(warehouse: Warehouse, prepared: list[Prepared], why: str) -> list[Outcome]:
    """Gives up attempts that may not be published without the others."""
    log.info("%s: not published, since %s", _names(prepared), why)
    return _kept_back(warehouse, prepared, "withheld")


@contextmanager
def recorded(warehouse: Warehouse, attempts: list[Attempt]) -> Iterator[None]:
    """Keeps a failure of the attempts in the ledger, and drops what they have staged.

    The process's CPU time is counted as theirs.
    """
    try:
        with at_work(attempt.cpu for attempt in attempts):
            yield
    except BaseException as error:
        for attempt in attempts:
            # The first failure is the one to tell of, even if the warehouse is what failed.
            with suppress(DaybreakError):
                warehouse.record(attempt.record("failed", error=str(error)))
            _discard(warehouse, attempt)
        raise


@contextmanager
def refusal_recorded(warehouse: Warehouse, run_id: str, table: Table) -> Iterator[None]:
    """Keeps in the ledger why an attempt at a table could not begin."""
    try:
        yield
    except DaybreakError as error:
        row = ledger_row(run_id, table, new_id(), "failed")
        with suppress(DaybreakError):
            warehouse.record({**row, "error": str(error)})
        raise


def _kept_back(warehouse: Warehouse, prepared: list[Prepared], outcome: str) -> list[Outcome]:
    outcomes = []
    for one in prepared:
        record = one.record(outcome)
        warehouse.record(record)
        _discard(warehouse, one.attempt)
        outcomes.append(outcome_of(record, one.attempt.table))
    return outcomes


def _discard(warehouse: Warehouse, attempt: Attempt) -> None:
    with suppress(DaybreakError):  # the next night sweeps it
        warehouse.discard(attempt.staged)


def _names(prepared: list[Prepared]) -> str:
    return ", ".join(one.attempt.table.name for one in prepared)
