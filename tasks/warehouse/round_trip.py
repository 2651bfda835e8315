"""A row of every type, staged, published and read back by the very statements of a night."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from tasks.errors import DaybreakError, PermanentError
from tasks.transfer.evolution import Evolution
from tasks.transfer.files import StagingFiles
from tasks.transfer.types import Field, Kind
from tasks.warehouse.base import Publication, Staged, State, Warehouse

# Values at the edges of their types, where a warehouse that is set otherwise would change them.
SAMPLE: dict[Kind, tuple[Any, pl.DataType | type[pl.DataType]]] = {
    Kind.INT16: (-32768, pl.Int16),
    Kind.INT32: (2147483647, pl.Int32),
    Kind.INT64: (9223372036854775807, pl.Int64),
    Kind.DECIMAL: (Decimal("12345678901234567890123456789.123456789"), pl.Decimal(38, 9)),
    Kind.FLOAT32: (0.5, pl.Float32),
    Kind.FLOAT64: (1e300, pl.Float64),
    Kind.BOOLEAN: (True, pl.Boolean),
    Kind.TEXT: ("é 漢 'quoted' \\ \n", pl.String),
    Kind.BINARY: (b"\x00\xff", pl.Binary),
    Kind.DATE: (date(1, 1, 1), pl.Date),
    Kind.TIMESTAMP: (datetime(9999, 12, 31, 23, 59, 59, 999999), pl.Datetime("us")),
    Kind.TIMESTAMPTZ: (
        datetime(2026, 3, 29, 0, 30, 0, 1, tzinfo=UTC),
        pl.Datetime("us", "UTC"),
    ),
    Kind.TIME: (time(23, 59, 59, 999999), pl.Time),
    Kind.UUID: ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", pl.String),
    Kind.JSON: ('{"a": [1, null, "é"]}', pl.String),
}
FIELDS = [Field(kind, kind, *((38, 9) if kind is Kind.DECIMAL else ())) for kind in SAMPLE]
FILE_SIZE = 1 << 20


def round_trip(warehouse: Warehouse, raw_schema: str) -> Iterator[str]:
    """Publishes two rows, of values and of NULLs, and takes everything away again.

    A publish that loses its race is tried before, which must leave no row.

    Yields:
        A sentence for each value that came back as another.

    Raises:
        DaybreakError: What the warehouse said, where a step failed.
    """
    raw = warehouse.quote(raw_schema)
    with _staged(warehouse, raw) as staged:
        publication = _publication(staged, warehouse.state(staged.table))
        if warehouse.publish([replace(publication, state=State(version=-1))]):
            raise PermanentError(
                "A publish on an outdated state went through.", remedy="Report this."
            )
        warehouse.publish([publication])
        columns = [warehouse.quote(field.name) for field in FIELDS]
        rows = warehouse.query(
            f"select {', '.join(columns)} from {raw}.{warehouse.quote(staged.table)}"
            f" order by {columns[0]} nulls last"
        )
    sent = [tuple(value for value, _ in SAMPLE.values()), (None,) * len(SAMPLE)]
    if len(rows) != len(sent):
        yield f"{len(rows)} rows came back, not {len(sent)}"
    for wrote, read in zip(sent, rows, strict=False):
        for kind, value, found in zip(SAMPLE, wrote, read, strict=True):
            if _plain(kind, found) != _plain(kind, value):
                yield f"{kind}: {found!r} came back, not {value!r}"


@contextmanager
def _staged(warehouse: Warehouse, raw: str) -> Iterator[Staged]:
    """The sample in a table of its own; no trace of it stays."""
    attempt = uuid.uuid4().hex[:12]
    table = f"daybreak_check_{attempt}"
    staged = Staged(table, attempt, str(uuid.uuid4()), FIELDS, datetime.now(UTC))
    files = StagingFiles(
        warehouse.staging_folder() / attempt,
        FILE_SIZE,
        warehouse.compression,
        partial(warehouse.upload, staged),
    )
    try:
        with files.open():
            with files.stream("rows") as stream:
                stream.write(_sample())
            staged = warehouse.stage(staged, files.rows, files.letters)
        yield staged
    finally:
        with suppress(DaybreakError):
            warehouse.discard(staged)
            warehouse.query(f"drop table if exists {raw}.{warehouse.quote(table)}")
            for ledger in ("sync_state", "sync_runs"):
                warehouse.query(f"delete from {raw}.{ledger} where table_name = ?", [table])


def _sample() -> pl.DataFrame:
    return pl.DataFrame(
        {kind: [value, None] for kind, (value, _) in SAMPLE.items()},
        schema={kind: dtype for kind, (_, dtype) in SAMPLE.items()},
    )


def _publication(staged: Staged, state: State) -> Publication:
    record = {
        "run_id": staged.run_id,
        "table_name": staged.table,
        "attempt": staged.attempt,
        "outcome": "published",
        "finished_at": staged.synced_at,
    }
    return Publication(
        staged=staged,
        replaced=None,
        key=[],
        state=state,
        watermark=None,
        fingerprint="",
        evolution=Evolution(),
        record=record,
    )


def _plain(kind: Kind, value: Any) -> Any:
    """The value whatever its driver's class for it."""
    if value is None:
        return None
    if kind is Kind.JSON:
        return json.loads(value)
    if kind is Kind.TIMESTAMPTZ:
        return value.astimezone(UTC)
    return {Kind.UUID: str, Kind.BINARY: bytes}.get(kind, lambda same: same)(value)
