"""Source to staging files: reads a table's ranges, screens each chunk and writes it as Parquet."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from psycopg import sql

from tasks.config import Table
from tasks.errors import ConfigError
from tasks.source.catalog import Relation
from tasks.source.connection import Source
from tasks.source.partitions import cursor_queries, tid_queries
from tasks.source.read import Handle, guarded, read
from tasks.source.snapshot import Snapshot
from tasks.transfer.files import StagingFile, StagingFiles
from tasks.transfer.rules import Screened, screen
from tasks.transfer.types import Field, Kind, field_of, largest
from tasks.transfer.watermark import conditions

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Contract:
    """A configured table held against the relation it names: what to copy and by which key."""

    table: Table
    relation: Relation
    fields: list[Field]
    key: list[str]

    @property
    def fingerprint(self) -> str:
        """Changes when the relation's shape or the columns copied from it change."""
        return f"{self.relation.shape}:{','.join(field.name for field in self.fields)}"


@dataclass
class Extract:
    """What one attempt read and staged; `seconds` is the wall time of reading.

    Rows read are those staged plus those dead-lettered; `nulls` counts NULLs a column over the
    rows read, and `coerced` the values that became NULL by the `unrepresentable` setting.
    """

    rows_read: int = 0
    rows_dead: int = 0
    bytes: int = 0
    seconds: float = 0
    largest: datetime | None = None
    files: list[StagingFile] = field(default_factory=list)
    letters: list[StagingFile] = field(default_factory=list)
    nulls: Counter[str] = field(default_factory=Counter)
    coerced: Counter[str] = field(default_factory=Counter)


def make_contract(table: Table, relation: Relation) -> Contract:
    """Checks every column the configuration names, and settles the key.

    Raises:
        ConfigError: Naming what the table lacks, and what it has.
    """
    named = {
        "key": table.key,
        "cursor": [table.cursor] if table.cursor else [],
        "columns.exclude": table.columns.exclude,
        "rules.not_null": table.rules.not_null,
        "rules.accepted": list(table.rules.accepted),
        "breaker.max_null_ratio": list(table.breaker.null_ratios([])),
    }
    excluded = set(table.columns.exclude)
    copied = [column.name for column in relation.columns if column.name not in excluded]
    for setting, names in named.items():
        known = copied if setting != "columns.exclude" else [c.name for c in relation.columns]
        if missing := [name for name in names if name not in known]:
            raise ConfigError(
                f"{setting} names {', '.join(missing)}, which is not a copied column.",
                remedy=f"It has: {', '.join(known)}.",
                table=table.name,
            )
    if not copied:
        raise ConfigError(
            "It has no column to copy.", remedy="Remove it, or exclude fewer.", table=table.name
        )
    fields = [field_of(column) for column in relation.columns if column.name not in excluded]
    key = table.key or list(relation.primary_key)
    contract = Contract(table, relation, fields, key if set(key) <= set(copied) else [])
    if table.mode == "incremental":
        _check_incremental(contract)
    return contract


def _check_incremental(contract: Contract) -> None:
    table, relation = contract.table, contract.relation
    if not contract.key:
        raise ConfigError(
            "mode incremental needs a key, and the table has no primary key that is copied.",
            remedy="Write key: [column, ...] of a unique index, or use mode: full_refresh.",
            table=table.name,
        )
    nullable = [c.name for c in relation.columns if c.name in contract.key and not c.not_null]
    unique = any(set(keys) == set(contract.key) for keys in relation.unique_keys)
    if not unique or nullable:
        columns = ", ".join(contract.key)
        raise ConfigError(
            f"The key ({columns}) is not held unique and not null by the source.",
            remedy=f"CREATE UNIQUE INDEX ON {relation.schema}.{relation.name} ({columns}); and"
            " make its columns NOT NULL, or use mode: full_refresh.",
            table=table.name,
        )
    cursor = next(field for field in contract.fields if field.name == table.cursor)
    if cursor.kind is not Kind.TIMESTAMPTZ:
        raise ConfigError(
            f"The cursor {cursor.name} is a {cursor.kind}, and has to be a timestamptz.",
            remedy="Choose another cursor, or use mode: full_refresh.",
            table=table.name,
        )


def extract(
    source: Source,
    snapshot: Snapshot,
    contract: Contract,
    lower: datetime | None,
    streams: int,
    staging: StagingFiles,
    progress: Progress,
) -> Extract:
    """Reads the table (from `lower` on when given) and stages what passes the screen.

    Memory is bounded by one chunk a stream, whatever the size of the table.
    """
    result = Extract(files=staging.rows, letters=staging.letters)
    lock = threading.Lock()
    started = time.monotonic()
    counted = list(contract.table.breaker.null_ratios([field.name for field in contract.fields]))

    @contextmanager
    def stream(number: int) -> Iterator[Handle]:
        with staging.stream("rows", number) as rows, staging.stream("letters", number) as letters:

            def handle(chunk: pl.DataFrame) -> None:
                screened = screen(chunk, contract.fields, contract.table, contract.key)
                rows.write(screened.good)
                letters.write(screened.letters)
                with lock:
                    _add(result, screened, counted, contract.table.cursor)
                    result.bytes += int(chunk.estimated_size())
                    progress(result.rows_read, time.monotonic() - started)

            yield handle

    with guarded(source, snapshot, contract.table.name, contract.relation):
        read(
            source,
            snapshot,
            contract.table.name,
            _queries(contract, lower, streams),
            streams,
            stream,
        )
    result.seconds = time.monotonic() - started
    return result


def _queries(contract: Contract, lower: datetime | None, streams: int) -> list[str]:
    columns = sql.SQL(", ").join(field.select for field in contract.fields)
    cursor = contract.table.cursor
    if lower is None or cursor is None:
        return tid_queries(contract.relation, columns, None, streams)
    wheres = conditions(cursor, lower)
    if cursor in contract.relation.cursor_indexes:
        return cursor_queries(contract.relation, columns, wheres)
    either = sql.SQL("({})").format(sql.SQL(" or ").join(wheres))
    return tid_queries(contract.relation, columns, either, streams)


def _add(result: Extract, screened: Screened, counted: list[str], cursor: str | None) -> None:
    result.rows_read += len(screened.converted)
    result.rows_dead += screened.dead
    result.coerced.update(screened.coerced)
    result.nulls.update({name: screened.converted[name].null_count() for name in counted})
    if cursor and (seen := largest(screened.converted, cursor)) is not None:
        result.largest = max(seen, result.largest) if result.largest else seen
