"""The one mapping from PostgreSQL's types to what a chunk and a warehouse hold.

Only the types of `BASE` that are read natively are read as they are; everything else is cast to
text in the SELECT, because the Arrow driver changes it silently (24:00 becomes NULL, money becomes
cents, arrays are flattened). A type that is not here is its text; one that is not PostgreSQL's own
is told besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from psycopg import sql

from tasks.source.catalog import Column
from tasks.transfer.masks import Mask


class Kind(StrEnum):
    """What a column holds, whatever the warehouse calls it."""

    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    DECIMAL = "decimal"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOLEAN = "boolean"
    TEXT = "text"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    TIME = "time"
    UUID = "uuid"
    JSON = "json"


INTEGERS = {Kind.INT16, Kind.INT32, Kind.INT64}
#: How the SELECT reads a column: as it is, as its text, by to_json, or a float in plain digits.
Reading = Literal["native", "text", "json", "digits"]
BASE: dict[str, tuple[Kind, Reading]] = {
    "int2": (Kind.INT16, "native"),
    "int4": (Kind.INT32, "native"),
    "int8": (Kind.INT64, "native"),
    "float4": (Kind.FLOAT32, "native"),
    "float8": (Kind.FLOAT64, "native"),
    "bool": (Kind.BOOLEAN, "native"),
    "text": (Kind.TEXT, "native"),
    "varchar": (Kind.TEXT, "native"),
    "bytea": (Kind.BINARY, "native"),
    "date": (Kind.DATE, "native"),
    "timestamp": (Kind.TIMESTAMP, "native"),
    "timestamptz": (Kind.TIMESTAMPTZ, "native"),
    "time": (Kind.TIME, "text"),
    "uuid": (Kind.UUID, "text"),
    "jsonb": (Kind.JSON, "text"),
    "hstore.hstore": (Kind.JSON, "json"),
}
#: Base types that are their text, by family; the vectors are arrays that count from 0.
TEXTS = {
    "characters": ("bpchar", "name", "char", "citext.citext"),
    "json": ("json", "jsonpath"),
    "times": ("interval", "timetz"),
    "money": ("money",),
    "bits": ("bit", "varbit"),
    "networks": ("inet", "cidr", "macaddr", "macaddr8"),
    "geometry": ("point", "line", "lseg", "box", "path", "polygon", "circle"),
    "search": ("tsvector", "tsquery", "gtsvector"),
    "labels": ("ltree.ltree", "ltree.lquery", "ltree.ltxtquery"),
    "xml": ("xml",),
    "object names": (
        *("oid", "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace"),
        *("regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype"),
    ),
    "of the server": (
        *("xid", "xid8", "cid", "tid", "pg_lsn", "pg_snapshot", "txid_snapshot", "aclitem"),
        *("refcursor", "int2vector", "oidvector", "pg_node_tree", "pg_ndistinct"),
        *("pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary"),
        "pg_brin_minmax_multi_summary",
    ),
}
KNOWN = {*BASE, *(name for names in TEXTS.values() for name in names)}
VECTORS = {"int2vector", "oidvector"}
# By pg_type.typcategory.
ARRAY, COMPOSITE, ENUM, RANGE = "A", "C", "E", "R"
#: Types of which equal values have the same text, so that a key can be found again by it.
ONE_TEXT = {
    *("int2", "int4", "int8", "bool", "text", "varchar", "bpchar", "name", "char", "bytea", "uuid"),
    *("date", "timestamp", "timestamptz", "time", "timetz", "inet", "cidr", "macaddr", "macaddr8"),
    *("bit", "varbit", "oid", "xid8", "pg_lsn", "ltree.ltree"),
}
MOST_DIGITS = 38
#: Stands in front of a text that is read where to_json would lose something; JSON never has it.
MARK = "="


@dataclass(frozen=True)
class Limits:
    """What a warehouse's types can't hold, though PostgreSQL may send it; None is no limit.

    `text`, `binary` and `json` are the most bytes of a value. With `exact_json` its numbers may not
    have more digits than a decimal, and its texts not the character NUL.
    """

    text: int | None = None
    binary: int | None = None
    json: int | None = None
    exact_json: bool = False


@dataclass(frozen=True)
class Field:
    """One column in flight; precision and scale are those of a DECIMAL.

    A masked one is read and stays text. `is_declared` says that `columns.as` gives it its type, as
    which its text is read, and `limits` what its warehouse can't hold. `arrays` is the column whose
    arrays may count from another number than 1, which JSON can't tell.
    """

    name: str
    kind: Kind
    precision: int = 0
    scale: int = 0
    read_as: Reading = "native"
    mask: Mask | None = None
    is_declared: bool = False
    limits: Limits = Limits()
    arrays: Column | None = None

    @property
    def select(self) -> sql.Composable:
        """How the SELECT reads it."""
        name = sql.Identifier(self.name)
        if self.read_as == "native":
            return name
        forms = {
            "text": sql.SQL("{}::text"),
            "json": sql.SQL("to_json({})::text"),
            # A double's text has up to 17 digits; its cast to numeric would keep 15.
            "digits": sql.SQL("{}::text::numeric::text"),
        }
        form = forms[self.read_as].format(name)
        if self.arrays:
            form = sql.SQL("case when {} then {} || {}::text else {} end").format(
                sql.SQL(" or ").join(_uneven(name, self.arrays)), sql.Literal(MARK), name, form
            )
        return sql.SQL("{} as {}").format(form, name)

    @property
    def most_bytes(self) -> int | None:
        """How long a value may be."""
        limits = self.limits
        sizes = {Kind.TEXT: limits.text, Kind.BINARY: limits.binary, Kind.JSON: limits.json}
        return sizes.get(self.kind)

    @property
    def type(self) -> str:
        """The type as a person reads it."""
        return f"numeric({self.precision},{self.scale})" if self.precision else self.kind


def field_of(column: Column) -> Field:
    """The field a source column becomes."""
    if column.type in BASE:
        kind, reading = BASE[column.type]
        return Field(column.name, kind, read_as=reading)
    if column.type == "numeric" and column.modifier >= 4:
        # numeric's typmod, src/backend/utils/adt/numeric.c: precision << 16 | scale (11 bits), + 4.
        precision = (column.modifier - 4) >> 16
        scale = (((column.modifier - 4) & 0x7FF) ^ 1024) - 1024
        if is_decimal(precision, scale):
            return Field(column.name, Kind.DECIMAL, precision, scale, "text")
    if column.category in (ARRAY, COMPOSITE) and column.type not in VECTORS:
        # json may repeat keys, and so may what holds it.
        kind = Kind.TEXT if "json" in _types(column) else Kind.JSON
        arrays = column if any(_uneven(sql.SQL(""), column)) else None
        return Field(column.name, kind, read_as="json", arrays=arrays)
    return Field(column.name, Kind.TEXT, read_as="text")


def is_decimal(precision: int, scale: int) -> bool:
    """Whether every warehouse has a decimal of these digits."""
    return 1 <= precision <= MOST_DIGITS and 0 <= scale <= min(precision, MOST_DIGITS - 1)


def unknown_types(column: Column) -> list[str]:
    """The types in a column that are neither PostgreSQL's own nor of a known extension."""
    made = {ARRAY, COMPOSITE, ENUM, RANGE}
    here = [column.type] if "." in column.type and column.category not in made else []
    unknown = {*here} - KNOWN
    return sorted(unknown.union(*map(unknown_types, column.parts)))


def has_one_text(column: Column) -> bool:
    """Whether all texts of a value are alike, so that an equal value is found by its text.

    A numeric without scale may be 1.0 or 1, an interval 24:00:00 or 1 day, a float 0 or -0.
    """
    if column.type == "numeric":
        return column.modifier >= 4
    if column.category == ENUM:
        return True
    if column.category in (ARRAY, COMPOSITE, RANGE):
        return all(map(has_one_text, column.parts))
    return column.type in ONE_TEXT and column.deterministic


def _types(column: Column) -> set[str]:
    return {column.type}.union(*map(_types, column.parts))


def _uneven(value: sql.Composable, column: Column, depth: int = 0) -> Iterator[sql.Composable]:
    """Conditions under which an array in a value counts from another number than 1."""
    if column.category == COMPOSITE:
        for part in column.parts:
            attribute = sql.SQL("({}).{}").format(value, sql.Identifier(part.name))
            yield from _uneven(attribute, part, depth)
    elif column.category == ARRAY and column.type not in VECTORS:
        # Of each dimension that counts from 1, array_dims has [1:n].
        dimensions = "position('[' in replace(array_dims({}), '[1:', '')) > 0"
        yield sql.SQL(dimensions).format(value)
        element = sql.Identifier(f"element {depth}")
        if inner := [*_uneven(element, column.parts[0], depth + 1)]:
            yield sql.SQL("exists (select from unnest({}) {} where {})").format(
                value, element, sql.SQL(" or ").join(inner)
            )
