"""Names and texts in statements for Snowflake."""

import pytest
import sqlglot
from sqlglot import exp

from tasks.warehouse.snowflake_names import RESERVED, exact, literal, quote

HOSTILE = [
    "a b",
    'a"b',
    "a'b",
    "a\\b",
    "a;b",
    "a--b",
    "a\nb",
    "1a",
    "Ab",
    "ä",
    "a.b",
    "",
    "%",
    "/*",
]


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("orders", '"ORDERS"'),
        ("_synced_at", '"_SYNCED_AT"'),
        ("a1$", '"A1$"'),
        ("ORDERS", '"ORDERS"'),
        ("Orders", '"Orders"'),
        ("order", '"order"'),
        ("1st", '"1st"'),
        ("größe", '"größe"'),
        ("two words", '"two words"'),
        ('a"b', '"a""b"'),
    ],
)
def test_a_name_is_upper_case_where_it_can_then_go_unquoted_and_else_as_it_is(
    name: str, quoted: str
) -> None:
    assert quote(name) == quoted


@pytest.mark.parametrize("name", [*HOSTILE, *sorted(RESERVED)])
def test_an_exact_name_is_one_identifier_that_means_the_name(name: str) -> None:
    parsed = sqlglot.parse_one(f"select {exact(name)}", dialect="snowflake")
    [identifier] = parsed.find_all(exp.Identifier)
    assert identifier.name == name


@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_is_one_string_that_means_the_text(text: str) -> None:
    parsed = sqlglot.parse_one(f"select {literal(text)}", dialect="snowflake")
    [string] = parsed.find_all(exp.Literal)
    assert string.name == text
