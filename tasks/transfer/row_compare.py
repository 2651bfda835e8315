"""The rows of the source, as a copy of them would be, held against the copy by their hashes.

Chunks are read and screened as a night does it, then hashed by a DuckDB in this process; of a copy
the warehouse computes the same in one scan. Only rows of parts that differ are looked at singly.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb
import polars as pl

from tasks.source.connection import Source
from tasks.source.partitions import tid_queries
from tasks.source.read import Handle, read
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.files import as_arrow
from tasks.transfer.row_hash import MODULUS, Hashing, RowHash
from tasks.transfer.rules import Screened, screen

What = Literal["missing", "extra", "different", "doubled", "partition", "table"]
#: A part's number of rows, the sum over its rows and, without a key, one over each column.
Digest = tuple[int, ...]
#: Runs a SELECT over a chunk.
Select = Callable[[pl.DataFrame, str], pl.DataFrame]
CHUNK = "chunk"


@dataclass(frozen=True)
class Difference:
    """A row, or a part of a table without a key, in which copy and source differ.

    `key` is the row's as JSON, or names the part; `columns` are those that differ, where both sides
    have the row. The row can be read again by `key_hash`.
    """

    what: What
    key: str
    columns: tuple[str, ...] = ()
    key_hash: int | None = None


@dataclass
class SourceRows:
    """The rows that a night would publish from a snapshot; to be read while the table is guarded.

    `rows` is how many they are, once their digests are made.
    """

    source: Source
    snapshot: Snapshot
    contract: Contract
    streams: int
    side: Hashing
    hashed: RowHash
    rows: int = field(default=0, init=False)

    def digests(self) -> dict[str, Digest]:
        """Each part's digest."""
        statement = self.hashed.digests(self.side, CHUNK, modulus=True)
        totals = pl.DataFrame()
        lock = threading.Lock()

        def add(screened: Screened, select: Select) -> None:
            nonlocal totals
            found = select(screened.good, statement)
            with lock:
                # Sums of unsigned integers wrap around, and so are modulo 2 ** 64.
                totals = pl.concat([totals, found]) if len(totals) else found
                totals = totals.group_by("part").sum()
                self.rows += len(screened.good)

        self._read(add)
        return {str(part): tuple(figures) for part, *figures in totals.rows()}

    def in_parts(self, parts: list[str]) -> tuple[pl.DataFrame, set[int]]:
        """The rows of these parts, and the numbers of all that are there, dead letters too."""
        statement = self.hashed.rows(self.side, CHUNK, parts)
        schema = self.hashed.schema
        good, there = [pl.DataFrame(schema=schema)], set[int]()

        def add(screened: Screened, select: Select) -> None:
            good.append(_typed(select(screened.good, statement), schema))
            if screened.dead:
                there.update(_typed(select(screened.converted, statement), schema)["k"])

        self._read(add)
        return pl.concat(good), there

    def _read(self, add: Callable[[Screened, Select], None]) -> None:
        contract = self.contract
        queries = tid_queries(contract.relation, contract.columns, None, self.streams)
        with closing(duckdb.connect(config={"threads": self.streams})) as local:

            @contextmanager
            def stream() -> Iterator[Handle]:
                with closing(local.cursor()) as session:
                    session.execute("set TimeZone = 'UTC'")

                    def select(rows: pl.DataFrame, statement: str) -> pl.DataFrame:
                        session.register(CHUNK, as_arrow(rows))
                        return pl.DataFrame(session.sql(statement).to_arrow_table())

                    def handle(chunk: pl.DataFrame) -> None:
                        fields, table = contract.fields, contract.table
                        add(screen(chunk, fields, table, contract.key, contract.rules), select)

                    yield handle

            read(self.source, self.snapshot, contract.table.name, queries, self.streams, stream)


def copied_digests(rows: list[tuple[Any, ...]]) -> dict[str, Digest]:
    """What the warehouse answered, as the source's digests are."""
    return {
        str(part): (int(count), *(int(each or 0) % MODULUS for each in sums))
        for part, count, *sums in rows
    }


def copied_rows(rows: list[tuple[Any, ...]], hashed: RowHash) -> pl.DataFrame:
    """What the warehouse answered, as the source's rows are."""
    numbers = [name for name, kind in hashed.schema.items() if kind != pl.String]
    texts = pl.DataFrame(
        [[None if each is None else str(each) for each in row] for row in rows],
        dict.fromkeys(hashed.schema, pl.String),
        orient="row",
    )
    return texts.cast({name: hashed.schema[name] for name in numbers})


def differences(
    hashed: RowHash, theirs: pl.DataFrame, ours: pl.DataFrame, there: set[int]
) -> list[Difference]:
    """What differs between rows of the source and of the copy, in the order of their keys.

    Args:
        there: Numbers of rows that are in the source, those held back by rules too, of which an
            older version may be copied.
    """
    copies = ours.group_by("k").agg(pl.all().first(), pl.len().alias("copies"))
    joined = theirs.join(copies, on="k", how="full", suffix=" copied")
    hashes = [pl.col(name).ne_missing(pl.col(f"{name} copied")) for name in theirs.columns]
    joined = joined.filter(pl.any_horizontal(*hashes, pl.col("copies") > 1))
    found = [_difference(hashed, row, there) for row in joined.iter_rows(named=True)]
    return sorted((each for each in found if each), key=lambda each: each.key)


def _difference(hashed: RowHash, row: dict[str, Any], there: set[int]) -> Difference | None:
    in_source, copied = row["k"] is not None, row["k copied"] is not None
    end = "" if in_source else " copied"
    key = {each.name: row[f"t{n}{end}"] for n, each in enumerate(hashed.key)}
    columns = [name for n, name in enumerate(hashed.names) if row[f"h{n}"] != row[f"h{n} copied"]]

    def difference(what: What, *columns: str) -> Difference:
        told = json.dumps(key, ensure_ascii=False)
        return Difference(what, told, columns, row[f"found{end}"])

    if not in_source:
        return None if row["k copied"] in there else difference("extra")
    if not copied:
        return difference("missing")
    if row["copies"] > 1:
        return difference("doubled")
    return difference("different", *columns) if columns else None


def _typed(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    return frame.cast(schema)  # type: ignore[arg-type]
