"""How names, texts and types stand in a statement for DuckDB; nothing else writes them."""

from typing import Any

from tasks.transfer.key_hash import INSTANTS, hash_digits, key_md5
from tasks.transfer.slices import LIMITS, Slice, bound
from tasks.transfer.types import Field, Kind, Limits

# PostgreSQL sends a gigabyte at most, and JSON stays the text it is.
WAREHOUSE_LIMITS = Limits()
TYPES = {
    Kind.INT16: "smallint",
    Kind.INT32: "integer",
    Kind.INT64: "bigint",
    Kind.FLOAT32: "real",
    Kind.FLOAT64: "double",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "varchar",
    Kind.BINARY: "blob",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
    Kind.TIME: "time",
    Kind.UUID: "uuid",
    Kind.JSON: "json",
}


def quote(name: str) -> str:
    """The identifier of a copied table or column."""
    return '"' + name.replace('"', '""') + '"'


def sql_type(field: Field) -> str:
    """The column type a field is stored as."""
    if field.kind is Kind.DECIMAL:
        return f"decimal({field.precision}, {field.scale})"
    return TYPES[field.kind]


def defined(fields: list[Field]) -> str:
    """The columns of a table as they are created."""
    return ", ".join(f"{quote(field.name)} {sql_type(field)}" for field in fields)


def staged_value(field: Field) -> str:
    """A field of a staged row `s`."""
    return f"s.{quote(field.name)}"


def in_json(column: str, field: Field) -> str:
    """A field's text in a column that holds a row as JSON."""
    key = field.name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"""json_extract_string({column}, '$."{key}"')"""


def keys_in_letter(key: list[Field]) -> str:
    """The key's columns in a letter `l`; NULL where their types can't hold it."""
    return ", ".join(_in_letter("row_key", field) for field in key)


def row_in_letter(field: Field) -> str:
    """A column of a letter's row; NULL where its type can't hold it."""
    return _in_letter("record", field)


def _in_letter(part: str, field: Field) -> str:
    text = in_json(f"l.{part}", field)
    return f"try_cast({text} as {sql_type(field)}) as {quote(field.name)}"


def key_text(field: Field) -> str:
    """The text of a key's column, as the source writes it too."""
    column = quote(field.name)
    text = f"epoch_us({column})" if field.kind in INSTANTS else column
    if field.kind in LIMITS:
        text = f"case when isfinite({column}) then {text} end"
    return f"cast({text} as varchar)"


def key_hash(key: list[Field]) -> str:
    """The hash of a key; NULL where a copy can't hold it."""
    return f"cast('0x' || {hash_digits(key_md5([key_text(field) for field in key]))} as bigint)"


def same_row(key: list[Field], row: str, other: str) -> str:
    """Whether two rows have one key."""
    return " and ".join(f"{row}.{quote(field.name)} = {other}.{quote(field.name)}" for field in key)


def same_key(key: list[Field], row: str, letter: str) -> str:
    """Whether a row has the key of a letter."""
    return " and ".join(
        _same_value(f"{row}.{quote(field.name)}", f"{letter}.row_key", field) for field in key
    )


def _same_value(column: str, row_key: str, field: Field) -> str:
    """Letters spell bytes in hex; a key that its type can't hold is no row's."""
    spelled = in_json(row_key, field)
    if field.kind is Kind.BINARY:
        return f"lower(hex({column})) = {spelled}"
    return f"{column} = try_cast({spelled} as {sql_type(field)})"


def in_slices(slices: list[Slice]) -> tuple[str, list[Any]]:
    """Whether a dead letter's row is in a slice; a value that its type can't hold is NULL."""
    field = slices[0].field
    text = in_json("dead_letters.record", field)
    condition, values = bound(slices, f"try_cast({text} as {sql_type(field)})")
    return condition, [*values]
