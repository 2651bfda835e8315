"""The keys of a copy held against those of the source, in SQL that both warehouses read.

A copy's keys are those of its rows that are not deleted, of the staged rows, and of the open dead
letters: these rows are in the source, though nobody sees them.
"""

from dataclasses import dataclass
from typing import Any

from tasks.transfer.key_hash import bucket, in_buckets
from tasks.warehouse.base import Query, Row

#: Whether a row of a copy that keeps deleted rows is not one of them.
LIVE = "_deleted_at is null"

KEYS = """
select {key} from {target} where {live}
union all
select {key} from (
    select {staged_key} from {staging}
    union select {letter_key} from {ledger} l where table_name = ? and closed_at is null
    union select {letter_key} from {letters} l
) pending
where not exists (select 1 from {target} t where {same} and {live})"""

DIGESTS = """
select {bucket}, count(*), {xor}(key_hash)
from (select {hash} as key_hash from ({keys}) k) hashed group by 1"""

FIND = """
insert into {deletes}
select {key}, {hash} from ({keys}) k where {in_buckets}"""

MISSING = """
select key_hash from {hashes}
where key_hash not in (select key_hash from {deletes})"""

KEEP = "delete from {deletes} where key_hash in (select key_hash from {hashes})"

DELETED = """
select count(*) from {target} t join (select {staged_key} from {deletes}) pending on {same}
where {live}"""


@dataclass(frozen=True)
class Comparison:
    """One table's keys, as a warehouse writes them.

    Args:
        query: Runs a statement with its parameters.
        names: Quoted, the tables `target`, `staging`, `letters`, `ledger` (that of dead letters),
            `hashes` and `deletes`. `key` are the key's columns, `staged_key` the same of a staged
            row and `letter_key` of a letter `l`, NULL where their types can't hold it. `same` says
            whether rows `t` and `pending` have one key, `live` whether a row is not deleted; `hash`
            and `md5` are those of a key and `xor` the function that aggregates them.
        table: As the ledger calls it.
    """

    query: Query
    names: dict[str, str]
    table: str

    def digests(self) -> set[tuple[int, int, int]]:
        """Bucket, number of its keys and XOR of their hashes, of each bucket that holds a key."""
        rows = self._run(DIGESTS, [self.table])
        # A condition in the query would have each hash computed twice.
        held = (row for row in rows if row[0] is not None)
        return {(int(number), int(keys), int(digest)) for number, keys, digest in held}

    def find(self, buckets: list[int]) -> list[int]:
        """Leaves the keys in `deletes` that are not among the source's `hashes` of these buckets.

        Returns:
            The hashes of the source's keys that the copy lacks.
        """
        self._run(FIND, [self.table], in_buckets=in_buckets(self.names["md5"], buckets))
        missing = [int(key_hash) for (key_hash,) in self._run(MISSING, [])]
        self._run(KEEP, [])
        return missing

    def deleted(self) -> int:
        """How many rows of the copy `find` left to delete."""
        return int(self._run(DELETED, [])[0][0])

    def _run(self, statement: str, values: list[Any], **more: str) -> list[Row]:
        names = self.names | {"bucket": bucket("key_hash"), **more}
        return self.query(statement.format(keys=KEYS.format(**names), **names), values)
