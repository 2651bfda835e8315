"""The types that `columns.as` may give a column, by the names that PostgreSQL has for them."""

import re
from dataclasses import replace

from tasks.source.catalog import Column
from tasks.transfer.types import BASE, Field, Kind, Reading, field_of, is_decimal

FLOATS = {"float4", "float8"}
SYNONYMS = {
    "smallint": "int2",
    "integer": "int4",
    "int": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "boolean": "bool",
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}
#: All that may be written, without the synonyms.
NAMES = (*(name for name in BASE if "." not in name), "numeric(p,s)")
NUMERIC = re.compile(r"(?:numeric|decimal)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


def declared_field(column: Column, name: str) -> Field | None:
    """The field of a column that is declared as another type; None where there is no such type.

    Its text is read as that type, but for what is JSON to the source as well.
    """
    natural, known = field_of(column), _parse(name)
    if known is None:
        return None
    kind, precision, scale = known
    if kind is Kind.JSON and natural.read_as == "json":
        return replace(natural, kind=kind, is_declared=natural.kind is not kind)
    same = (natural.kind, natural.precision, natural.scale) == known
    if same and natural.read_as != "json":
        return natural
    reading: Reading = "text"
    if kind is Kind.DECIMAL and column.type in FLOATS:
        reading = "digits"
    return Field(column.name, kind, precision, scale, reading, is_declared=True)


def _parse(name: str) -> tuple[Kind, int, int] | None:
    """Kind, precision and scale of a type."""
    name = " ".join(name.lower().split())
    if found := NUMERIC.fullmatch(name):
        precision, scale = int(found[1]), int(found[2] or 0)
        return (Kind.DECIMAL, precision, scale) if is_decimal(precision, scale) else None
    name = SYNONYMS.get(name, name)
    return (BASE[name][0], 0, 0) if name in NAMES else None
