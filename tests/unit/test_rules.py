"""The screen: which rows are good, which are dead, and what their letters say."""

import json
from typing import Any

import polars as pl
import pytest

from tasks.errors import PermanentError
from tasks.fields import Policy
from tasks.table import Rules, Table
from tasks.transfer.row_rules import row_rules
from tasks.transfer.rules import LETTER, Screened, screen
from tasks.transfer.types import Field, Kind

FIELDS = [
    Field("id", Kind.INT64),
    Field("status", Kind.TEXT),
    Field("amount", Kind.DECIMAL, 5, 2, "text"),
]
STRICT = Rules(not_null=["status", "amount"], accepted={"status": ["placed", "shipped"]})
GOOD = (1, "placed", "1.00")
NAN = (2, "placed", "NaN")


def screened(
    *rows: tuple[Any, ...],
    rules: Rules = STRICT,
    policy: Policy = "dead_letter",
    key: tuple[str, ...] = ("id",),
) -> Screened:
    """The screen of rows of id, status and amount."""
    read = pl.DataFrame(
        list(rows),
        schema={"id": pl.Int64, "status": pl.String, "amount": pl.String},
        orient="row",
    )
    table = Table(name="orders", rules=rules, unrepresentable={"*": policy})
    return screen(read, FIELDS, table, list(key), row_rules(table, FIELDS))


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        pytest.param((2, None, "1.00"), [("not_null", "status", None)], id="not_null"),
        pytest.param((2, "lost", "1.00"), [("accepted", "status", "lost")], id="accepted"),
        pytest.param((2, "", "1.00"), [("accepted", "status", "")], id="empty is not NULL"),
        pytest.param(NAN, [("unrepresentable", "amount", "NaN")], id="unrepresentable, once"),
        pytest.param(
            (2, "lost", "NaN"),
            [("unrepresentable", "amount", "NaN"), ("accepted", "status", "lost")],
            id="two rules on two columns",
        ),
        pytest.param(
            (2, None, None),
            [("not_null", "status", None), ("not_null", "amount", None)],
            id="one rule on two columns",
        ),
    ],
)
def test_a_row_is_dead_once_with_a_letter_for_each_rule_it_breaks(
    row: tuple[Any, ...], broken: list[tuple[str, str, str | None]]
) -> None:
    result = screened(GOOD, row)
    assert result.dead == 1
    assert result.good["id"].to_list() == [1]
    assert result.letters.select("rule", "column_name", "value").rows() == broken


def test_a_letter_holds_the_key_and_the_whole_row_as_read() -> None:
    [letter] = screened(GOOD, (2, "lost", "NaN"), rules=Rules()).letters.to_dicts()
    assert letter.keys() == LETTER.keys()
    assert json.loads(letter["row_key"]) == {"id": "2"}
    assert json.loads(letter["record"]) == {"id": "2", "status": "lost", "amount": "NaN"}


def test_a_letter_of_a_table_without_a_key_is_identified_by_the_whole_row() -> None:
    [letter] = screened(NAN, key=()).letters.to_dicts()
    assert letter["row_key"] == letter["record"]


def test_a_letter_of_an_expression_holds_every_value_that_it_read() -> None:
    rules = Rules(expression={"dear when shipped": "status <> 'shipped' or amount >= 10"})
    [letter] = screened(GOOD, (2, "shipped", "9.99"), rules=rules).letters.to_dicts()
    assert (letter["rule"], letter["column_name"]) == ("dear when shipped", "status, amount")
    assert json.loads(letter["value"]) == {"status": "shipped", "amount": "9.99"}


@pytest.mark.parametrize("rows", [(), (GOOD,), (GOOD, (2, "shipped", "2.00"))])
def test_good_rows_pass_whole_and_without_letters(rows: tuple[tuple[Any, ...], ...]) -> None:
    result = screened(*rows)
    assert (result.good.height, result.dead, result.unfit) == (len(rows), 0, {})
    assert result.letters.is_empty()
    assert dict(result.letters.schema) == LETTER


def test_letters_have_the_same_columns_whether_or_not_there_are_any() -> None:
    assert screened(NAN).letters.schema == screened(GOOD).letters.schema


def test_null_is_accepted_where_values_are_listed() -> None:
    assert screened((1, None, None), rules=Rules(accepted={"status": ["placed"]})).dead == 0


def test_null_policy_stores_the_row_without_the_value_and_counts_it() -> None:
    result = screened(GOOD, NAN, rules=Rules(), policy="null")
    assert result.good["id"].to_list() == [1, 2]
    assert result.good["amount"].null_count() == 1
    assert (result.dead, result.unfit) == (0, {("amount", "null"): 1})


def test_null_policy_does_not_get_past_not_null() -> None:
    result = screened(GOOD, NAN, policy="null")
    assert result.dead == 1
    assert result.letters["rule"].to_list() == ["not_null"]
    assert result.letters["value"].to_list() == ["NaN"]


def test_null_policy_never_makes_a_key_null() -> None:
    result = screened(GOOD, NAN, rules=Rules(), policy="null", key=("id", "amount"))
    assert result.dead == 1
    assert result.good["amount"].null_count() == 0
    assert result.letters["rule"].to_list() == ["unrepresentable"]


def test_a_dead_lettered_key_is_not_counted_as_coerced() -> None:
    result = screened(GOOD, NAN, rules=Rules(), policy="null", key=("id", "amount"))
    assert result.unfit == {("amount", "dead_letter"): 1}


def test_fail_policy_stops_the_table_with_the_column_and_an_example() -> None:
    with pytest.raises(PermanentError, match=r"orders: 1 values of amount .*NaN"):
        screened(GOOD, NAN, policy="fail")


def test_fail_policy_lets_good_rows_and_broken_rules_through() -> None:
    assert screened(GOOD, (2, None, "1.00"), policy="fail").dead == 1


def test_each_column_follows_its_own_word() -> None:
    table = Table(name="t", unrepresentable={"*": "dead_letter", "b": "null"})
    fields = [Field(name, Kind.TIME, read_as="text") for name in ("a", "b")]
    read = pl.DataFrame({"a": ["24:00:00", "01:00:00"], "b": ["24:00:00", "24:00:00"]})
    result = screen(read, fields, table, [], [])
    assert result.unfit == {("a", "dead_letter"): 1, ("b", "null"): 2}
    assert result.letters["column_name"].to_list() == ["a"]
    assert result.good["b"].to_list() == [None]


def test_a_refusal_names_the_declared_type() -> None:
    with pytest.raises(PermanentError, match=r"1 values of amount don't fit numeric\(5,2\), for"):
        screened(NAN, policy="fail")
