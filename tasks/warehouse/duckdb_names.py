"""How names, texts and types stand in a statement for DuckDB; nothing else writes them."""

from tasks.transfer.key_hash import INSTANTS
from tasks.transfer.slices import LIMITS
from tasks.transfer.types import Field, Kind

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


def in_json(column: str, field: Field) -> str:
    """A field's text in a column that holds a row as JSON."""
    key = field.name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"""json_extract_string({column}, '$."{key}"')"""


def key_in_letter(letter: str, field: Field) -> str:
    """A field of the key of a letter; NULL where its type can't hold it."""
    return f"try_cast({in_json(f'{letter}.row_key', field)} as {sql_type(field)})"


def key_text(field: Field) -> str:
    """The text of a key's column, as the source writes it too."""
    column = quote(field.name)
    text = f"epoch_us({column})" if field.kind in INSTANTS else column
    if field.kind in LIMITS:
        text = f"case when isfinite({column}) then {text} end"
    return f"cast({text} as varchar)"
