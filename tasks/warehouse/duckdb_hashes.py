"""The hashes of rows as DuckDB computes them, whether in the warehouse's file or in this process.

Where both sides are DuckDB, its own hash will do, which is four times as fast as MD5.
"""

from tasks.transfer.key_hash import INSTANTS, hash_digits, key_md5
from tasks.transfer.row_hash import Hashes, Hashing, float_text
from tasks.transfer.types import Kind
from tasks.warehouse.duckdb_names import TYPES, key_hash, quote

FLOATS = {Kind.FLOAT32, Kind.FLOAT64}


def row_text(column: str, kind: Kind) -> str:
    """A value's canonical text."""
    if kind is Kind.BINARY:
        return f"lower(hex({column}))"
    if kind is Kind.TIME:
        return f"cast(date_diff('microsecond', time '00:00:00', {column}) as varchar)"
    if kind in INSTANTS:
        return f"cast(epoch_us({column}) as varchar)"
    if kind in FLOATS:
        return f"cast(cast({column} as double) as varchar)"
    return f"cast({column} as varchar)"


def portable_text(column: str, kind: Kind) -> str:
    """A value's text where the other side is no DuckDB, which spells floats otherwise."""
    if kind in FLOATS:
        return float_text(f"cast({column} as double)")
    return row_text(column, kind)


def start(column: str, kind: Kind, unit: str) -> str:
    if kind is not Kind.DATE and kind not in INSTANTS:
        return column
    return f"cast(date_trunc('{unit}', {column}) as {TYPES[kind]})"


def own_hash(texts: list[str]) -> str:
    if len(texts) == 1:
        return f"hash({texts[0]})"
    return own_hash([" || '/' || ".join(f"cast(hash({text}) as varchar)" for text in texts)])


def md5_hash(texts: list[str]) -> str:
    """The number of texts as other warehouses compute it too."""
    return f"cast(cast('0x' || {hash_digits(key_md5(texts))} as bigint) as ubigint)"


OWN = Hashing(row_text, own_hash, key_hash, "xor", quote, start)
#: What this process computes to hold it against a warehouse that is no DuckDB.
PORTABLE = Hashing(portable_text, md5_hash, key_hash, "xor", quote, start)
HASHES = Hashes(there=OWN, here=OWN)
