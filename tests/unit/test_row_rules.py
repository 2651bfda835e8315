"""Row rules: which rows meet them, and which rules are refused before a row is read."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from polars._typing import PolarsDataType

from tasks.errors import ConfigError, PermanentError
from tasks.table import Rules, Table
from tasks.transfer.convert import convert
from tasks.transfer.masks import Mask
from tasks.transfer.row_rules import row_rules
from tasks.transfer.types import Field, Kind

NOON = datetime(2026, 1, 31, 12)
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
FIELDS = [
    Field("id", Kind.INT64),
    Field("small", Kind.INT16),
    Field("other", Kind.INT16),
    Field("amount", Kind.DECIMAL, 12, 2, "text"),
    Field("share", Kind.FLOAT64),
    Field("note", Kind.TEXT),
    Field("day", Kind.DATE),
    Field("at", Kind.TIMESTAMPTZ),
    Field("since", Kind.TIMESTAMP),
    Field("opens", Kind.TIME, read_as="text"),
    Field("Mixed Case", Kind.INT32),
    Field("ok", Kind.BOOLEAN),
    Field("bytes", Kind.BINARY),
    Field("email", Kind.TEXT, read_as="text", mask=Mask("redact")),
]
READ: dict[str, PolarsDataType] = {
    "id": pl.Int64, "small": pl.Int16, "other": pl.Int16, "amount": pl.String, "share": pl.Float64,
    "note": pl.String, "day": pl.Date, "at": pl.Datetime("us", "UTC"), "since": pl.Datetime("us"),
    "opens": pl.String, "Mixed Case": pl.Int32, "ok": pl.Boolean, "bytes": pl.Binary,
    "email": pl.String,
}  # fmt: skip


def broken(rules: dict[str, Any], **row: Any) -> bool:
    """Whether a row breaks the one rule; its other columns are NULL."""
    [rule] = row_rules(Table(name="t", rules=Rules.model_validate(rules)), FIELDS)
    read = pl.DataFrame([row], schema=READ)
    return bool(rule.broken(convert(read, FIELDS)).item())


@pytest.mark.parametrize(
    ("value", "item", "accepted", "other"),
    [
        (7, Field("x", Kind.INT64), "7", "8"),
        (7, Field("x", Kind.INT16), "7", "8"),
        (0.1, Field("x", Kind.FLOAT64), "0.10", "0.2"),
        ("1.00", Field("x", Kind.DECIMAL, 5, 2, "text"), "1", "1.01"),
        (True, Field("x", Kind.BOOLEAN), "true", "false"),
        (b"\xff", Field("x", Kind.BINARY), r"\xFF", r"\xfe"),
        (date(2026, 1, 31), Field("x", Kind.DATE), "2026-01-31", "2026-01-30"),
        (NOON, Field("x", Kind.TIMESTAMP), "2026-01-31 12:00:00.0", "2026-01-31 12:00:01"),
        (
            NOON.replace(tzinfo=UTC),
            Field("x", Kind.TIMESTAMPTZ),
            "2026-01-31 13:00:00+01:00",
            "2026-01-31 12:00:00+01",
        ),
        ("12:00:00", Field("x", Kind.TIME, read_as="text"), "12:00:00.0", "12:00:01"),
        (UUID, Field("x", Kind.UUID, read_as="text"), UUID.upper(), UUID.replace("a", "b")),
        ("7 days", Field("x", Kind.TEXT, read_as="text"), "7 days", "1 week"),
    ],
)
def test_accepted_values_are_compared_as_values_of_the_columns_type(
    value: Any, item: Field, accepted: str, other: str
) -> None:
    for listed, expected in (accepted, False), (other, True):
        table = Table(name="t", rules=Rules(accepted={"x": [listed]}))
        [rule] = row_rules(table, [item])
        assert rule.broken(convert(pl.DataFrame({"x": [value]}), [item])).to_list() == [expected]


@pytest.mark.parametrize(
    ("column", "ends", "inside", "outside"),
    [
        ("id", {"min": 0, "max": 10}, [0, 10], [-1, 11]),
        ("small", {"max": -3}, [-3, -32768], [-2]),
        ("amount", {"min": "0.50", "max": 1000}, ["0.50", "1000.00"], ["0.49", "1000.01"]),
        ("amount", {"min": 0.5}, ["0.50"], ["0.49"]),
        ("share", {"min": 0.1}, [0.1, float("inf"), float("nan")], [0.0999]),
        ("share", {"max": 1}, [1.0, float("-inf")], [1.0001, float("inf"), float("nan")]),
        ("day", {"min": date(2026, 1, 31)}, [date(2026, 1, 31)], [date(2026, 1, 30)]),
        ("day", {"min": "2026-01-31"}, [date(9999, 12, 31)], [date(1, 1, 1)]),
        (
            "at",
            {"min": "2026-01-31 13:00:00+01:00", "max": datetime(2026, 1, 31, 12, tzinfo=UTC)},
            [NOON.replace(tzinfo=UTC)],
            [NOON.replace(microsecond=1, tzinfo=UTC), datetime(2026, 1, 31, 11, 59, tzinfo=UTC)],
        ),
        ("since", {"max": NOON}, [NOON], [NOON.replace(microsecond=1)]),
        ("opens", {"min": "08:00:00"}, ["08:00:00"], ["07:59:59.999999"]),
    ],
)
def test_a_range_holds_its_ends_and_compares_values_of_the_columns_type(
    column: str, ends: dict[str, Any], inside: list[Any], outside: list[Any]
) -> None:
    rule = {"range": {column: ends}}
    assert [value for value in inside if broken(rule, **{column: value})] == []
    assert [value for value in outside if not broken(rule, **{column: value})] == []


def test_a_regex_has_to_be_found_anywhere_unless_it_is_anchored() -> None:
    assert not broken({"regex": {"note": "b+"}}, note="abba")
    assert broken({"regex": {"note": "^b+$"}}, note="abba")
    assert broken({"regex": {"note": "^.$"}}, note="")


def test_a_length_counts_characters_not_bytes() -> None:
    rule = {"length": {"note": {"min": 2, "max": 3}}}
    assert [broken(rule, note=note) for note in ("ä", "äö", "äöü", "äöü!", "")] == [
        True,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "row", "columns"),
    [
        ("small * other > 40000", {"small": 300, "other": 300}, ("small", "other")),
        ("amount between 0 and 10", {"amount": "10.00"}, ("amount",)),
        ("amount = 0.1 or note is null", {"amount": "0.10", "note": "x"}, ("amount", "note")),
        ('"Mixed Case" in (1, 2)', {"Mixed Case": 2}, ("Mixed Case",)),
        ("at >= timestamp '2026-01-31 12:00:00'", {"at": NOON.replace(tzinfo=UTC)}, ("at",)),
        ("at = since", {"at": NOON.replace(tzinfo=UTC), "since": NOON}, ("at", "since")),
        ("day <= date '2026-01-31'", {"day": date(2026, 1, 31)}, ("day",)),
        ("note like 'a%' and length(note) = 2", {"note": "ab"}, ("note",)),
        ("case when id > 1 then ok else true end", {"id": 2, "ok": True}, ("id", "ok")),
        ("coalesce(share, 1) = 1 -- a comment", {}, ("share",)),
        ("try_cast(note as int) is null", {"note": "x"}, ("note",)),
        ("amount > 1", {"amount": None}, ("amount",)),
        ("note = 'Len' or note = 'Agg'", {"note": "Agg"}, ("note",)),
    ],
)
def test_an_expression_is_met_where_it_is_true_or_null(
    text: str, row: dict[str, Any], columns: tuple[str, ...]
) -> None:
    assert not broken({"expression": {"it": text}}, **row)
    if row and None not in row.values():
        assert broken({"expression": {"it": f"not ({text.partition(' --')[0]})"}}, **row)
    [rule] = row_rules(Table(name="t", rules=Rules(expression={"it": text})), FIELDS)
    assert (rule.name, rule.columns) == ("it", columns)


@pytest.mark.parametrize(
    "rules",
    [
        {"accepted": {"note": ["a"]}},
        {"range": {"id": {"min": 1}}},
        {"regex": {"note": "a"}},
        {"length": {"note": {"min": 1}}},
    ],
)
def test_only_not_null_refuses_a_null(rules: dict[str, Any]) -> None:
    assert not broken(rules)
    assert broken({"not_null": ["note"]})


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"accepted": {"id": ["1", "one"]}}, r"accepted\.id lists one, and it is a int64"),
        ({"range": {"id": {"min": 0.5}}}, r"range\.id lists 0\.5, and it is a int64"),
        ({"range": {"day": {"max": "soon"}}}, r"range\.day lists soon, and it is a date"),
        ({"range": {"at": {"max": "2026-01-31"}}}, "range.at lists 2026-01-31.*timestamptz"),
        ({"range": {"small": {"max": 40000}}}, "range.small lists 40000, and it is a int16"),
        ({"range": {"id": {"min": 2, "max": 1}}}, "range.id has a min of 2 and a max of 1"),
        ({"range": {"note": {"min": 1}}}, "range.note needs a number.*is a text.*try_cast"),
        ({"range": {"ok": {"min": 1}}}, "range.ok needs a number.*is a boolean"),
        ({"regex": {"note": "a("}}, r"regex\.note can't be read: .*unclosed group.*Rust"),
        ({"regex": {"note": "a(?=b)"}}, r"regex\.note can't be read: .*look-around"),
        ({"regex": {"id": "1"}}, "regex.id needs a text, and it is a int64"),
        ({"length": {"bytes": {"max": 1}}}, "length.bytes needs a text, and it is a binary"),
        ({"length": {"note": {"min": 2, "max": 1}}}, "length.note has a min of 2"),
        ({"expression": {"it": "id >"}}, "expression.it can't be read: unable to parse"),
        ({"expression": {"it": "id > 1; drop table t"}}, "expression.it can't be read"),
        ({"expression": {"it": "__import__('os')"}}, "unsupported function '__import__'"),
        ({"expression": {"it": "read_csv('/etc/passwd') is null"}}, "unsupported function"),
        ({"expression": {"it": "nope > 1"}}, "names nope, which it can't read.*id, small"),
        ({"expression": {"it": "t.id > 1"}}, "names t, which it can't read"),
        ({"expression": {"it": "email = 'x'"}}, "names email, which it can't read"),
        ({"expression": {"it": "id"}}, "is a Int64, not true or false of a row"),
        ({"expression": {"it": "true"}}, "reads no column"),
        ({"expression": {"it": "note > 1"}}, "can't be read: cannot compare string with numeric"),
        ({"expression": {"it": "regexp_like(note, 'x(')"}}, "can't be read: regex error"),
    ],
)
def test_a_rule_that_can_not_be_is_refused_with_what_to_write(
    rules: dict[str, Any], told: str
) -> None:
    table = Table(name="orders", rules=Rules.model_validate(rules))
    with pytest.raises(ConfigError, match=f"^orders: rules.*{told}"):
        row_rules(table, FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        "max(id) > 1", "id >= max(id)", "count(*) > 1", "count(*) > id", "first(id) = id",
        "median(id) > id", "quantile_cont(id, 0.5) > id", "corr(id, small) > 0",
        "sum(id) over (partition by day) > 1",
        "row_number() over () > 1", "rank() over (order by id) > 1", "first_value(id) over () = id",
        "lag(id) over (order by id) < id", "ntile(3) over (order by id) > 1", "unnest(id) > 1",
        "id in (select 1)", "exists (select 1)", "columns('id') > 1", '"^i.*$" > 1',
        "array_agg(id) is null", "string_agg(note) = 'x'", "count(distinct id) > 1",
    ],
)  # fmt: skip
def test_an_expression_that_looks_at_other_rows_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expression\.it looks at more than one row"):
        row_rules(Table(name="t", rules=Rules(expression={"it": text})), FIELDS)


def test_an_expression_that_fails_on_a_value_stops_the_table_and_says_how_to_write_it() -> None:
    with pytest.raises(PermanentError, match=r"expression\.it can't be computed: .*try_cast"):
        broken({"expression": {"it": "cast(note as int) > 1"}}, note="x")


def test_values_are_judged_as_converted() -> None:
    [rule] = row_rules(Table(name="t", rules=Rules.model_validate({"not_null": ["opens"]})), FIELDS)
    chunk = convert(pl.DataFrame([{"opens": "24:00:00"}], schema=READ), FIELDS)
    assert rule.broken(chunk).to_list() == [True]
