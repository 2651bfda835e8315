"""How far the reading of each table is: for a person at the terminal, in the log, and in Prefect.

A terminal shows a live bar for each table; elsewhere a line is logged now and then. A reading that
takes longer also has a progress artifact, which a thread of its own keeps: no reader waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.runtime import task_run
from rich.filesize import decimal
from rich.progress import Progress
from slugify import slugify

from tasks.logs import live_bars, log

BAR_SECONDS, LINE_SECONDS, ARTIFACT_SECONDS = 0.5, 2.0, 5.0
#: How long the end of a reading may wait for the last word to its artifact.
ANSWER_SECONDS = 5.0


@dataclass
class Reading:
    """How far one table's reading is, shown every so many seconds.

    `expected` rows are an estimate, None where there is none.
    """

    table: str
    expected: int | None
    show: Callable[["Reading"], None]
    every: float
    rows: int = 0
    bytes: int = 0
    complete: bool = False
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._shown = self.started

    def tell(self, rows: int, read: int) -> None:
        """Takes the rows and bytes that were read so far."""
        self.rows, self.bytes = rows, read
        if time.monotonic() - self._shown >= self.every:
            self._shown = time.monotonic()
            self.show(self)

    @property
    def percent(self) -> float:
        """Below 100 until it is complete, since it is of an estimate."""
        if self.complete:
            return 100
        return min(100 * self.rows / self.expected, 99) if self.expected else 0

    def __str__(self) -> str:
        rate = self.rows / max(time.monotonic() - self.started, 0.001)
        said = f"{self.rows:,} rows read, {rate:,.0f} rows/s, {decimal(self.bytes)}"
        left = (self.expected or 0) - self.rows
        if self.complete or not self.rows or left < 0:
            return said
        return f"{said}, about {left / rate:,.0f} s remain"


@contextmanager
def shown(table: str, expected: int | None) -> Iterator[Reading]:
    """Shows how far a table's reading is while the block lasts."""
    bars = live_bars()
    with _lines(table, expected) if bars is None else _bar(bars, table, expected) as reading:
        if task_run.id is None:
            yield reading
        else:
            with _artifact(reading):
                yield reading


@contextmanager
def _lines(table: str, expected: int | None) -> Iterator[Reading]:
    def line(reading: Reading) -> None:
        log.info("%s: %s", reading.table, reading)

    yield Reading(table, expected, line, LINE_SECONDS)


@contextmanager
def _bar(bars: Progress, table: str, expected: int | None) -> Iterator[Reading]:
    def move(reading: Reading) -> None:
        bars.update(bar, completed=reading.rows)

    reading = Reading(table, expected, move, BAR_SECONDS)
    with _live:
        bar = bars.add_task(table, total=expected, reading=reading)
        bars.start()
    try:
        yield reading
    finally:
        with _live:
            bars.remove_task(bar)
            if not bars.task_ids:
                bars.stop()


#: Held while a bar comes or goes.
_live = threading.Lock()


@contextmanager
def _artifact(reading: Reading) -> Iterator[None]:
    """Keeps the reading's progress artifact; a server that does not answer is no reason to wait."""
    ended = threading.Event()
    run = copy_context().run  # the artifact is of this task's run
    keeper = threading.Thread(target=run, args=(_keep, reading, ended), daemon=True)
    keeper.start()
    try:
        yield
        reading.complete = True
    finally:
        ended.set()
        keeper.join(ANSWER_SECONDS)


def _keep(reading: Reading, ended: threading.Event) -> None:
    """Writes it every few seconds, but for a reading that ends before the first time."""
    if ended.wait(ARTIFACT_SECONDS):
        return
    with suppress(Exception):  # whatever the client raises; the reading goes on
        artifact = create_progress_artifact(
            reading.percent, key=f"progress-{slugify(reading.table)}", description=_told(reading)
        )
        assert isinstance(artifact, UUID)  # and not a coroutine: here is no event loop
        while not ended.wait(ARTIFACT_SECONDS):
            update_progress_artifact(artifact, reading.percent, _told(reading))
        update_progress_artifact(artifact, reading.percent, _told(reading))


def _told(reading: Reading) -> str:
    return f"{reading.table}: {reading}"
