"""The hashes of rows as DuckDB computes them, whether in the warehouse's file or in this process.

Where both sides are DuckDB, its own hash will do, which is four times as fast as MD5.
"""

from tasks.transfer.key_hash import INSTANTS, hash_digits
from tasks.transfer.row_hash import Hashes, Hashing, float_text, joined
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


def own_number(text: str) -> str:
    """The number of a text, or of several that are listed."""
    return f"hash({text})"


def md5_number(text: str) -> str:
    """The number of a text as other warehouses compute it too."""
    return f"cast(cast('0x' || {hash_digits(f'md5({text})')} as bigint) as ubigint)"


OWN = Hashing(row_text, own_number, ", ".join, key_hash, quote, start)
#: What this process computes to hold it against a warehouse that is no DuckDB.
PORTABLE = Hashing(portable_text, md5_number, joined, key_hash, quote, start)
HASHES = Hashes(there=OWN, here=OWN)
