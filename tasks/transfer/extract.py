"""Source to staging files: reads a table's ranges, screens each chunk and writes it as Parquet."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import polars as pl
from psycopg import sql

from tasks.fields import Policy
from tasks.quality.audit import DEAD, SAMPLES
from tasks.source.connection import Source
from tasks.source.keys import check_key
from tasks.source.partitions import range_queries, tid_queries
from tasks.source.read import Handle, guarded, read
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.convert import largest
from tasks.transfer.files import StagingFile, StagingFiles
from tasks.transfer.rules import Screened, screen, spelled_keys
from tasks.transfer.selection import Bounds, select
from tasks.transfer.slices import Slice
from tasks.transfer.source_keys import Keys
from tasks.transfer.watermark import Mark

#: Told the rows and bytes that were read so far.
Progress = Callable[[int, int], None]
Judge = Callable[["Extract"], None]
#: Of a key in an error; that of a table without one is the whole row.
LONGEST_SAMPLE = 100


def _untold(_rows: int, _bytes: int) -> None:
    """No progress to tell of."""


def _unjudged(_extracted: "Extract") -> None:
    """No judgement before all is read."""


@dataclass
class Extract:
    """What one attempt read and staged; `seconds` is the wall time of reading.

    Rows read are those staged plus those dead-lettered; `nulls` counts NULLs a column over the
    rows read, and `unfit` the values that a column's type can't hold, by what became of them.
    `samples` are the first keys of rows with a NULL, by column, and of those that are `DEAD`, with
    a rule that each broke.
    `replaced` are the slices whose copies the rows replace, all rows when it is None.
    """

    rows_read: int = 0
    rows_dead: int = 0
    bytes: int = 0
    seconds: float = 0
    largest: Mark | None = None
    replaced: list[Slice] | None = None
    files: list[StagingFile] = field(default_factory=list)
    letters: list[StagingFile] = field(default_factory=list)
    nulls: Counter[str] = field(default_factory=Counter)
    unfit: Counter[tuple[str, Policy]] = field(default_factory=Counter)
    samples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def sample(self, name: str, keys: pl.Series) -> None:
        """Keeps the first few."""
        kept = self.samples[name]
        kept.extend(keys.head(SAMPLES - len(kept)))

    def with_more(self, more: "Extract") -> "Extract":
        """The figures of both; watermark and what is replaced stay those of the first."""
        return replace(
            self,
            rows_read=self.rows_read + more.rows_read,
            rows_dead=self.rows_dead + more.rows_dead,
            bytes=self.bytes + more.bytes,
            unfit=self.unfit + more.unfit,
        )


def extract(
    source: Source,
    snapshot: Snapshot,
    contract: Contract,
    bounds: Bounds,
    streams: int,
    staging: StagingFiles,
    progress: Progress,
    judge: Judge,
) -> Extract:
    """Reads the rows that the bounds select and stages what passes the screen.

    Args:
        judge: Called after each chunk with what was read so far; its error ends the reading.
    """
    table, relation = contract.table.name, contract.relation
    with guarded(source, snapshot, table, relation):
        if contract.key and not relation.is_key(contract.key):
            check_key(source, snapshot, table, relation, contract.key)
        selection = select(source, snapshot, contract, bounds)
        queries = _queries(contract, selection.read, streams)
        result = read_rows(source, snapshot, contract, queries, streams, staging, progress, judge)
    result.replaced = selection.replaced
    return result


def read_rows(
    source: Source,
    snapshot: Snapshot,
    contract: Contract,
    queries: list[str],
    streams: int,
    staging: StagingFiles,
    progress: Progress = _untold,
    judge: Judge = _unjudged,
) -> Extract:
    """Runs queries for the contract's columns and stages what passes the screen.

    Memory is bounded by one chunk a stream, whatever the size of the table.
    """
    result = Extract()
    before = len(staging.rows), len(staging.letters)
    lock = threading.Lock()
    started = time.monotonic()
    counted = list(contract.table.breaker.null_ratios([field.name for field in contract.fields]))

    @contextmanager
    def stream() -> Iterator[Handle]:
        with staging.stream("rows") as rows, staging.stream("letters") as letters:

            def handle(chunk: pl.DataFrame) -> None:
                screened = screen(
                    chunk, contract.fields, contract.table, contract.key, contract.rules
                )
                rows.write(screened.good)
                letters.write(screened.letters)
                with lock:
                    _add(result, screened, counted, contract)
                    result.bytes += int(chunk.estimated_size())
                    progress(result.rows_read, result.bytes)
                    judge(result)

            yield handle

    read(source, snapshot, contract.table.name, queries, streams, stream)
    result.seconds = time.monotonic() - started
    result.files, result.letters = staging.rows[before[0] :], staging.letters[before[1] :]
    return result


def _queries(contract: Contract, parts: Sequence[Slice | Keys] | None, streams: int) -> list[str]:
    columns, served = contract.columns, contract.relation.range_columns
    if parts is None:
        return tid_queries(contract.relation, columns, None, streams)
    wheres = [each.at_source for each in parts]
    ranges = [each for each in parts if isinstance(each, Slice) and each.is_range]
    if [each for each in ranges if each.field.name in served] == parts:
        return range_queries(contract.relation, columns, wheres)
    either = sql.SQL("({})").format(sql.SQL(" or ").join(wheres))
    return tid_queries(contract.relation, columns, either, streams)


def _add(result: Extract, screened: Screened, counted: list[str], contract: Contract) -> None:
    rows, cursor = screened.converted, contract.table.cursor
    result.rows_read += len(rows)
    result.rows_dead += screened.dead
    result.unfit.update(screened.unfit)
    first = screened.letters.unique("row_key", keep="first", maintain_order=True)
    told = pl.format(
        "{}: {} at {}", "column_name", "rule", pl.col("row_key").str.head(LONGEST_SAMPLE)
    )
    result.sample(DEAD, first.select(told).to_series())
    for name in counted:
        if nulls := rows[name].null_count():
            result.nulls[name] += nulls
            if len(result.samples[name]) < SAMPLES:
                holes = rows.filter(pl.col(name).is_null()).head(SAMPLES)
                keys = spelled_keys(holes, contract.fields, contract.key)
                result.sample(name, keys.str.head(LONGEST_SAMPLE))
    if cursor and (seen := largest(rows, cursor)) is not None:
        result.largest = max(seen, result.largest) if result.largest else seen
