"""The hashes of rows as Snowflake computes them."""

from tasks.transfer.key_hash import DIGITS, INSTANTS, hash_digits
from tasks.transfer.row_hash import Hashes, Hashing, float_text, joined
from tasks.transfer.types import Kind
from tasks.warehouse.duckdb_hashes import PORTABLE
from tasks.warehouse.snowflake_names import TYPES, key_hash, quote

FLOATS = {Kind.FLOAT32, Kind.FLOAT64}
TEXTS = {Kind.TEXT, Kind.UUID}


def row_text(column: str, kind: Kind) -> str:
    """A value's canonical text, as `portable_text` in DuckDB writes it."""
    if kind in TEXTS:
        return column
    if kind is Kind.BINARY:
        return f"lower(hex_encode({column}))"
    if kind is Kind.TIME:
        column = f"datediff(microsecond, cast('00:00:00' as time(6)), {column})"
    elif kind in INSTANTS:
        column = f"date_part(epoch_microsecond, {column})"
    elif kind is Kind.DATE:
        return f"to_char({column}, 'YYYY-MM-DD')"
    elif kind in FLOATS:
        return float_text(column)
    return f"cast({column} as varchar)"


def start(column: str, kind: Kind, unit: str) -> str:
    if kind is not Kind.DATE and kind not in INSTANTS:
        return column
    return f"cast(date_trunc('{unit}', {column}) as {TYPES[kind]})"


def number(text: str) -> str:
    return f"to_number({hash_digits(f'md5({text})')}, '{'X' * DIGITS}')"


# A VARIANT has no text of its own: Snowflake writes keys and numbers anew.
HASHES = Hashes(
    there=Hashing(row_text, number, joined, key_hash, quote, start, "cast({} as number(38, 0))"),
    here=PORTABLE,
    left_out=frozenset({Kind.JSON}),
)
