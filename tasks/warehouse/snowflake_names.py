"""How names, texts and types stand in a statement for Snowflake; nothing else writes them."""

import re
from datetime import date
from typing import Any

from tasks.transfer.key_hash import DIGITS, INSTANTS, hash_digits, key_md5
from tasks.transfer.slices import LIMITS, Slice, bound
from tasks.transfer.types import Field, Kind, Limits

# The longest that a column may be; without a length it was an eighth of that for long.
# https://docs.snowflake.com/en/sql-reference/data-types-text. A VARIANT holds 128 MB of its own
# form, which may be longer than its text; numbers of more than 38 digits would become doubles:
# https://docs.snowflake.com/en/sql-reference/functions/parse_json.
WAREHOUSE_LIMITS = Limits(text=134_217_728, binary=67_108_864, json=100_000_000, exact_json=True)
TYPES = {
    Kind.INT16: "number(5, 0)",
    Kind.INT32: "number(10, 0)",
    Kind.INT64: "number(19, 0)",
    Kind.FLOAT32: "float",
    Kind.FLOAT64: "float",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: f"varchar({WAREHOUSE_LIMITS.text})",
    Kind.BINARY: f"binary({WAREHOUSE_LIMITS.binary})",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp_ntz(6)",
    Kind.TIMESTAMPTZ: "timestamp_ltz(6)",
    Kind.TIME: "time(6)",
    Kind.UUID: "varchar(36)",
    Kind.JSON: "variant",
}
# https://docs.snowflake.com/en/sql-reference/reserved-keywords
RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
    account all alter and any as between by case cast check column connect connection constraint
    create cross current current_date current_time current_timestamp current_user database
    delete distinct drop else exists false following for from full grant group gscluster having
    ilike in increment inner insert intersect into is issue join lateral left like localtime
    localtimestamp match_recognize minus natural not null of on or order organization partition
    pivot qualify regexp revoke right rlike row rows sample schema select set some start table
    tablesample then to trigger true try_cast union unique unpivot update using values view when
    whenever where with
    """,
    )
)
#: What a table ends with whose texts are equal only as they are, whatever its database has of new
#: tables: https://docs.snowflake.com/en/sql-reference/sql/create-table.
NO_COLLATION = "default_ddl_collation = ''"
PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def stored(name: str) -> str:
    """The name as Snowflake keeps it: upper case where it can then be written without quotes.

    Any other (mixed case, spaces, a leading digit, a reserved word, ...) stays as it is.
    """
    plain = PLAIN.fullmatch(name) and name not in RESERVED
    return name.upper() if plain else name


def exact(name: str) -> str:
    """An identifier that means just this name."""
    return '"' + name.replace('"', '""') + '"'


def quote(name: str) -> str:
    """The identifier of a copied table or column."""
    return exact(stored(name))


def literal(text: str) -> str:
    """A string, where it can't be bound."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def sql_type(field: Field) -> str:
    """The column type a field is stored as."""
    if field.kind is Kind.DECIMAL:
        return f"number({field.precision}, {field.scale})"
    return TYPES[field.kind]


def in_json(column: str, field: Field) -> str:
    """A field's text in a column that holds a row as JSON."""
    return f"parse_json({column}):{exact(field.name)}::varchar"


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
    if field.kind in INSTANTS:
        column = f"date_part(epoch_microsecond, {column})"
    elif field.kind is Kind.DATE:
        column = f"to_char({column}, 'YYYY-MM-DD')"
    return f"cast({column} as varchar)"


def key_hash(key: list[Field]) -> str:
    """The hash of a key; NULL where a copy can't hold it."""
    digits = hash_digits(key_md5([key_text(field) for field in key]))
    return f"to_number({digits}, '{'X' * DIGITS}')"


def published_value(field: Field) -> str:
    value = f"s.{exact(field.name)}"
    return f"parse_json({value})" if field.kind is Kind.JSON else value


def same_key(key: dict[str, Field], letter: str) -> str:
    """Whether columns of a row, each of a field, are the key of a letter."""
    return " and ".join(
        _same_value(column, f"{letter}.row_key", field) for column, field in key.items()
    )


def _same_value(column: str, row_key: str, field: Field) -> str:
    """Letters spell bytes in hex; a key that its type can't hold is no row's."""
    spelled = in_json(row_key, field)
    if field.kind is Kind.BINARY:
        return f"lower(hex_encode({column})) = {spelled}"
    if field.kind is Kind.JSON:
        return f"try_parse_json({column}::varchar) = try_parse_json({spelled})"
    return f"{column} = try_cast({spelled} as {sql_type(field)})"


def in_slices(slices: list[Slice]) -> tuple[str, list[Any]]:
    """Whether a dead letter's row is in a slice; a value that its type can't hold is NULL."""
    field = slices[0].field
    text = in_json("dead_letters.record", field)
    return in_bounds(slices, f"try_cast({text} as {sql_type(field)})")


def in_bounds(slices: list[Slice], column: str) -> tuple[str, list[Any]]:
    """The condition of slices; instants as text, since the connector would round late ones."""
    field = slices[0].field
    mark = f"cast(? as {sql_type(field)})" if field.kind in LIMITS else "?"
    condition, values = bound(slices, column, mark)
    return condition, [each.isoformat() if isinstance(each, date) else each for each in values]
