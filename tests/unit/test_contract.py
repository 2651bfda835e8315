"""A configured table held against its relation: what is refused before any row is read."""

from dataclasses import replace
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.source.catalog import Column, Relation
from tasks.table import Table
from tasks.transfer.contract import make_contract
from tasks.transfer.types import Field, Kind, Limits

TYPES = {
    "id": ("int8", "N"),
    "number": ("int4", "N"),
    "at": ("timestamptz", "D"),
    "local": ("timestamp", "D"),
    "day": ("date", "D"),
    "note": ("text", "S"),
    "share": ("float8", "N"),
    "amount": ("numeric", "N"),
    "cube": ("cube.cube", "U"),
}
BY = {"mode": "incremental"}
APPENDED = {"mode": "incremental", "append_only": True}
FROZEN = {"schema_change": "freeze"}
OVERWRITTEN = {"mode": "partition_overwrite"}


def relation(primary_key: tuple[str, ...] = ("id",)) -> Relation:
    columns = tuple(
        Column(name, number, kind, kind, -1, category, name in primary_key, False)
        for number, (name, (kind, category)) in enumerate(TYPES.items(), 1)
    )
    return Relation("1/1", "public", "t", 1, columns, (), (), primary_key, (primary_key,), ())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**BY, "cursor": "at"},
        {**BY, "cursor": "local", "cursor_timezone": "Asia/Kolkata"},
        {**BY, "cursor": "day", "cursor_timezone": "UTC", "lag": 0},
        {**APPENDED, "cursor": "number", "lag": 0},
        {**APPENDED, "cursor": "number", "lag": 10},
        {**BY, "cursor": "at", "deletes": "hard", "key": ["day", "note", "local"]},
        {"deletes": "soft"},
        {"deletes": "hard", "key": ["share"]},
        {"key": ["share"]},
        {**APPENDED, "cursor": "at", "key": ["share"]},
        {**FROZEN, "columns": {"exclude": ["cube"]}},
        {**FROZEN, "columns": {"mask": {"cube": "redact"}}},
        {**FROZEN, "columns": {"as": {"cube": "text"}}},
        {"unrepresentable": {"*": "fail", "at": "null"}},
        {**OVERWRITTEN, "partition_by": "day"},
        {**OVERWRITTEN, "partition_by": "note", "partitions": 3},
        {**OVERWRITTEN, "partition_by": "local", "partition_unit": "month", "cursor": "at"},
    ],
)
def test_a_table_that_is_as_configured_is_accepted(settings: dict[str, Any]) -> None:
    make_contract(Table(name="t", **settings), relation(), Limits())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"key": ["nope"]}, "key names nope.*It has: id, number"),
        ({**BY, "cursor": "nope"}, "cursor names nope"),
        ({**OVERWRITTEN, "partition_by": "nope"}, "partition_by names nope"),
        ({"columns": {"exclude": list(TYPES)}}, "no column to copy"),
        ({"rules": {"regex": {"nope": "a"}}}, "rules.regex names nope"),
        ({"rules": {"length": {"note": {"max": 1}, "nope": {"max": 1}}}}, "length names nope"),
        ({"rules": {"range": {"number": {"min": "x"}}}}, "rules.range.number lists x"),
        ({**BY, "cursor": "note"}, "note, a text, has to be a timestamp, date or integer"),
        ({**BY, "cursor": "local"}, "has no time zone.*cursor_timezone: the zone"),
        ({**BY, "cursor": "day"}, "has no time zone.*cursor_timezone: the zone"),
        ({**BY, "cursor": "at", "cursor_timezone": "UTC"}, "needs no cursor_timezone"),
        ({**BY, "cursor": "at", "lag": 10}, "re-read by a duration.*lag: 10m"),
        ({**BY, "cursor": "number", "lag": 10}, "does not move when a row changes.*append_only"),
        ({**APPENDED, "cursor": "number"}, "number.*lag: how many of its values"),
        ({**APPENDED, "cursor": "number", "lag": "1h"}, "number.*lag: how many of its values"),
        ({"deletes": "soft", "key": ["share"]}, "can't compare keys by share, a float64.*another"),
        ({"columns": {"as": {"nope": "text"}}}, "columns.as names nope.*It has: id, number"),
        (
            {"columns": {"as": {"note": "text"}, "exclude": ["note"]}},
            "columns.as names note, which is not a copied column",
        ),
        ({"unrepresentable": {"nope": "fail"}}, "unrepresentable names nope.*It has: id, number"),
        (FROZEN, "cube is a cube.cube, and cube.cube is not known here.*as: {cube: text}"),
        ({**OVERWRITTEN, "partition_by": "share"}, "share is a float64.*Choose a date"),
    ],
)
def test_a_table_that_is_not_as_configured_is_refused_with_what_to_write(
    settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^t: .*{told}"):
        make_contract(Table(name="t", **settings), relation(), Limits())


@pytest.mark.parametrize("mode", [BY, {**OVERWRITTEN, "partition_by": "day"}])
def test_a_cursor_needs_a_key_by_which_old_copies_are_found(mode: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"needs a key.*append_only: true"):
        make_contract(Table(name="t", cursor="at", **mode), relation(()), Limits())


def test_deleted_rows_can_only_be_found_by_a_key() -> None:
    with pytest.raises(ConfigError, match=r"deletes: soft needs a key.*deletes: ignore"):
        make_contract(Table(name="t", deletes="soft"), relation(()), Limits())


def test_rows_that_are_only_added_need_no_key() -> None:
    assert make_contract(Table(name="t", cursor="at", **APPENDED), relation(()), Limits()).key == []


@pytest.mark.parametrize(
    "settings",
    [
        {"cursor": "at", "key": ["id", "number"]},
        {"cursor": "local", "cursor_timezone": "UTC"},
        {"cursor": "local", "cursor_timezone": "Asia/Kolkata"},
        {"cursor": "at", "columns": {"exclude": ["note"]}},
        {"cursor": "at", "deletes": "soft"},
        {"cursor": "at", "rules": {"range": {"number": {"min": 0}}}},
        {"cursor": "at", "unrepresentable": "null"},
        {"cursor": "at", "columns": {"as": {"amount": "numeric(38,9)"}}},
    ],
)
def test_another_key_cursor_zone_screen_or_choice_of_columns_is_another_shape(
    settings: dict[str, Any],
) -> None:
    first = make_contract(Table(name="t", cursor="at", **BY), relation(), Limits())
    other = make_contract(Table(name="t", **settings, **BY), relation(), Limits())
    assert first.shape != other.shape


def test_rules_that_say_what_is_so_anyway_leave_the_shape_alone() -> None:
    said = {"rules": {"not_null": []}, "unrepresentable": "dead_letter"}
    first = make_contract(Table(name="t", **BY, cursor="at"), relation(), Limits())
    same = make_contract(Table(name="t", **BY, cursor="at", **said), relation(), Limits())
    assert first.shape == same.shape


@pytest.mark.parametrize(
    "mode",
    [
        {**BY, "cursor": "at"},
        {**OVERWRITTEN, "partition_by": "day"},
        {**OVERWRITTEN, "partition_by": "day", "cursor": "at"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["share", "amount", "cube"])
def test_a_key_that_can_be_written_otherwise_and_be_equal_is_refused_where_rows_are_found_by_it(
    mode: dict[str, Any], name: str
) -> None:
    told = rf"^t: Its key has {name}, a .* would be doubled\. Choose another key: .*full_refresh"
    with pytest.raises(ConfigError, match=told):
        make_contract(Table(name="t", key=["id", name], **mode), relation(), Limits())
    with pytest.raises(ConfigError, match=told):
        make_contract(Table(name="t", **mode), relation(("id", name)), Limits())


def test_a_key_by_a_collation_that_is_not_deterministic_is_refused() -> None:
    there = relation(("note",))
    columns = tuple(replace(each, deterministic=each.name != "note") for each in there.columns)
    with pytest.raises(ConfigError, match=r"has note, a text.*collation that is not determin"):
        make_contract(Table(name="t", cursor="at", **BY), replace(there, columns=columns), Limits())


@pytest.mark.parametrize(
    ("column", "type_", "expected"),
    [
        ("amount", "numeric(38,9)", Field("amount", Kind.DECIMAL, 38, 9, "text")),
        ("amount", " Decimal( 5 ) ", Field("amount", Kind.DECIMAL, 5, 0, "text")),
        ("share", "numeric(38, 9)", Field("share", Kind.DECIMAL, 38, 9, "digits")),
        ("note", "bigint", Field("note", Kind.INT64, read_as="text")),
        ("note", "TIMESTAMP WITH TIME ZONE", Field("note", Kind.TIMESTAMPTZ, read_as="text")),
        ("note", "jsonb", Field("note", Kind.JSON, read_as="text")),
        ("at", "varchar", Field("at", Kind.TEXT, read_as="text")),
        ("number", "double  precision", Field("number", Kind.FLOAT64, read_as="text")),
    ],
)
def test_a_column_is_declared_by_a_name_of_postgresqls(
    column: str, type_: str, expected: Field
) -> None:
    table = Table(name="t", columns={"as": {column: type_}})
    field = make_contract(table, relation(), Limits()).field(column)
    assert field == replace(expected, is_declared=True)


def test_a_column_that_is_declared_as_it_is_is_read_as_ever() -> None:
    table = Table(name="t", columns={"as": {"number": "int", "cube": "text"}})
    contract, plain = (
        make_contract(each, relation(), Limits()) for each in (table, Table(name="t"))
    )
    assert contract.fields == plain.fields


@pytest.mark.parametrize(
    "type_",
    [
        "numerik(38,9)",
        "numeric",
        "numeric(39,2)",
        "numeric(5,6)",
        "varchar(10)",
        "interval",
        "int[]",
    ],
)
def test_a_type_that_no_copy_has_is_refused_with_those_there_are(type_: str) -> None:
    table = Table(name="t", columns={"as": {"amount": type_}})
    with pytest.raises(ConfigError) as refused:
        make_contract(table, relation(), Limits())
    assert f"columns.as.amount is {type_}, which is no type" in refused.value.message
    assert "int8, float4, float8, bool, text" in refused.value.remedy


def test_a_primary_key_that_is_declared_otherwise_is_no_key() -> None:
    table = Table(name="t", columns={"as": {"id": "text"}})
    assert make_contract(table, relation(), Limits()).key == []
    with pytest.raises(ConfigError, match="no primary key that is copied"):
        make_contract(table.model_copy(update={**BY, "cursor": "at"}), relation(), Limits())
