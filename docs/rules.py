"""How values are spelled in a copy: the README shows the rules, and the tests hold copies to them.

A condition of them is PostgreSQL's, on a column of its own, {theirs}, and the text of its copy,
{ours}; {type} is the column's type.
"""

from dataclasses import dataclass

from tasks.source.catalog import Column
from tasks.transfer.types import Kind, Limits, field_of
from tasks.warehouse.duckdb_names import WAREHOUSE_LIMITS as DUCKDB
from tasks.warehouse.snowflake_names import WAREHOUSE_LIMITS as SNOWFLAKE

TEXT = "{theirs}::text = {ours}"
VALUE = "{ours}::{type}::text = {theirs}::text"
BYTES = "decode({ours}, 'hex') = {theirs}"
JSON = "to_jsonb({theirs}) = {ours}::jsonb"
JSON_TEXT = "to_json({theirs})::text = {ours}"
UNFIT = "doesn't fit"


@dataclass(frozen=True)
class Rule:
    """What a copy holds of some types, with a value of one of them and its text in DuckDB."""

    of: str
    type: str
    value: str
    copy: str
    says: str


RULES = [
    Rule(
        "integers, numeric(p,s), real, double precision",
        "double precision",
        "1e15",
        "1000000000000000.0",
        "the same number, NaN and infinity too; of a real, Snowflake has the double equal to it",
    ),
    Rule("other numeric", "numeric", "1.50", "1.50", "its text, with all its digits"),
    Rule("bytea", "bytea", r"\x00ff", r"\x00\xFF", "the same bytes"),
    Rule(
        "date, time, timestamp, timestamptz",
        "timestamptz",
        "2026-01-31 13:00:00.5+01",
        "2026-01-31 12:00:00.5+00",
        "the same microsecond; its zone, which PostgreSQL does not keep either, is the session's",
    ),
    Rule("char(n)", "char(5)", "a", "a", "its text, without the padding that means nothing"),
    Rule(
        "jsonb",
        "jsonb",
        '{"a":1.50}',
        '{"a": 1.50}',
        "the same JSON; Snowflake leaves out zeros after a fraction and the sign of a zero",
    ),
    Rule("json", "json", '{"a":1, "a":2}', '{"a":1, "a":2}', "its text, which may repeat keys"),
    Rule(
        "arrays",
        "int[]",
        "{{1,NULL},{2,3}}",
        "[[1,null],[2,3]]",
        "lists, one in another for each dimension; NULL is null, as is the null of a jsonb",
    ),
    Rule(
        "composites", "leg", '("{1,2}",a)', '{"stops":[1,2],"from":"a"}', "the attributes by name"
    ),
    Rule("hstore", "hstore", '"a"=>"1", "b"=>NULL', '{"a": "1", "b": null}', "texts and nulls"),
    Rule(
        "in these: times",
        "timestamp[]",
        '{"2026-01-31 12:00:00",infinity}',
        '["2026-01-31T12:00:00","infinity"]',
        "their text in ISO 8601",
    ),
    Rule(
        "in these: NaN and infinity",
        "float8[]",
        "{1.5,NaN,-Infinity}",
        '[1.5,"NaN","-Infinity"]',
        "texts among numbers",
    ),
    Rule("in these: all else", "bytea[]", r'{"\\x00ff"}', r'["\\x00ff"]', "its text"),
    Rule("everything else", "interval", "36 hours", "36:00:00", "its text"),
]


def same(column: Column) -> str:
    """The condition under which the copy of a column's value is as the rules say."""
    field = field_of(column)
    if field.kind is Kind.JSON:
        return JSON
    if field.kind is Kind.TEXT:
        return JSON_TEXT if field.read_as == "json" else TEXT
    return BYTES if field.kind is Kind.BINARY else VALUE


def unfit() -> list[tuple[str, str, str]]:
    """Values that don't fit their type in DuckDB and in Snowflake."""
    exact = [UNFIT if limits.exact_json else "as written" for limits in (DUCKDB, SNOWFLAKE)]
    return [
        ("infinity, and years before 1 or after 9999, in dates and timestamps", UNFIT, UNFIT),
        ("`24:00:00` in a time", UNFIT, UNFIT),
        ("NaN in a numeric(p,s)", UNFIT, UNFIT),
        ("arrays that don't count from 1, wherever they are", UNFIT, UNFIT),
        ("a number of more than 38 digits, or 37 after the point, in JSON", exact[0], exact[1]),
        *(
            (f"too long: {name}", _most(DUCKDB, name), _most(SNOWFLAKE, name))
            for name in ("text", "binary", "json")
        ),
        ("what is not exactly a value of the type in `columns.as`", UNFIT, UNFIT),
        (r"JSON with the character `\u0000`, by `columns.as`", exact[0], exact[1]),
    ]


def _most(limits: Limits, name: str) -> str:
    most = getattr(limits, name)
    return "fits" if most is None else f"over {most:,} bytes"
