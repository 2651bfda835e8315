"""The keys of the source on the run's snapshot, to hold against those of the copy.

First a digest of each bucket of keys, then the hashes in the buckets that differ: what few rows
were deleted or lost is found without moving the other keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl
from psycopg import sql

from tasks.source.connection import Source
from tasks.source.partitions import tid_queries
from tasks.source.read import Handle, Stream, read
from tasks.source.snapshot import Snapshot
from tasks.transfer.contract import Contract
from tasks.transfer.extract import Extract, read_rows
from tasks.transfer.files import StagingFiles
from tasks.transfer.key_hash import bucket, in_buckets
from tasks.transfer.source_keys import Keys, source_hash, source_md5

#: Bucket, number of its keys, XOR of their hashes.
Digest = tuple[int, int, int]


def differing(theirs: set[Digest], ours: set[Digest]) -> list[int]:
    """The buckets in which not all keys are the same."""
    return sorted({number for number, _, _ in theirs ^ ours})


@dataclass(frozen=True)
class SourceKeys:
    """The keys of a table on a snapshot; to be read while the table is guarded."""

    source: Source
    snapshot: Snapshot
    contract: Contract
    streams: int

    def digests(self) -> set[Digest]:
        """The digest of every bucket that holds a key."""
        frames: list[pl.DataFrame] = []

        @contextmanager
        def gather() -> Iterator[Handle]:
            yield frames.append

        contract = self.contract
        column = sql.SQL("{} as key_hash").format(source_hash(contract.key_fields))
        digest = f"{bucket('key_hash')} as bucket, count(*) as keys, bit_xor(key_hash) as digest"
        # OFFSET 0 keeps a hash from being computed once for each place that it is used in.
        queries = [
            f"select {digest} from ({hashes} offset 0) k where key_hash is not null group by 1"
            for hashes in tid_queries(contract.relation, column, None, self.streams)
        ]
        self._read(queries, gather)
        if not frames:
            return set()
        buckets = pl.concat(frames).group_by("bucket")
        return set(buckets.agg(pl.col("keys").sum(), pl.col("digest").bitwise_xor()).rows())

    def stage_hashes(self, buckets: list[int], staging: StagingFiles) -> None:
        """Stages the hash of every key in these buckets, as column `key_hash`."""

        @contextmanager
        def stream() -> Iterator[Handle]:
            with staging.stream("keys") as keys:
                yield keys.write

        key = self.contract.key_fields
        column = sql.SQL("{} as key_hash").format(source_hash(key))
        these = sql.SQL(in_buckets(source_md5(key), buckets))
        self._read(tid_queries(self.contract.relation, column, these, self.streams), stream)

    def read_rows(self, hashes: list[int], staging: StagingFiles) -> Extract:
        """Stages the rows whose keys have these hashes."""
        contract = self.contract
        these = Keys(tuple(contract.key_fields), tuple(hashes)).at_source
        queries = tid_queries(contract.relation, contract.columns, these, self.streams)
        return read_rows(self.source, self.snapshot, contract, queries, self.streams, staging)

    def _read(self, queries: list[str], stream: Stream) -> None:
        read(self.source, self.snapshot, self.contract.table.name, queries, self.streams, stream)
