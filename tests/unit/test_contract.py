"""A configured table held against its relation: what is refused before any row is read."""

from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.source.catalog import Column, Relation
from tasks.table import Table
from tasks.transfer.contract import make_contract

TYPES = {
    "id": ("int8", "N"),
    "number": ("int4", "N"),
    "at": ("timestamptz", "D"),
    "local": ("timestamp", "D"),
    "day": ("date", "D"),
    "note": ("text", "S"),
    "share": ("float8", "N"),
}
BY = {"mode": "incremental"}
APPENDED = {"mode": "incremental", "append_only": True}
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
        {**OVERWRITTEN, "partition_by": "day"},
        {**OVERWRITTEN, "partition_by": "note", "partitions": 3},
        {**OVERWRITTEN, "partition_by": "local", "partition_unit": "month", "cursor": "at"},
    ],
)
def test_a_table_that_is_as_configured_is_accepted(settings: dict[str, Any]) -> None:
    make_contract(Table(name="t", **settings), relation())


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
        ({**OVERWRITTEN, "partition_by": "share"}, "share is a float64.*Choose a date"),
    ],
)
def test_a_table_that_is_not_as_configured_is_refused_with_what_to_write(
    settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^t: .*{told}"):
        make_contract(Table(name="t", **settings), relation())


@pytest.mark.parametrize("mode", [BY, {**OVERWRITTEN, "partition_by": "day"}])
def test_a_cursor_needs_a_key_by_which_old_copies_are_found(mode: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"needs a key.*append_only: true"):
        make_contract(Table(name="t", cursor="at", **mode), relation(()))


def test_deleted_rows_can_only_be_found_by_a_key() -> None:
    with pytest.raises(ConfigError, match=r"deletes: soft needs a key.*deletes: ignore"):
        make_contract(Table(name="t", deletes="soft"), relation(()))


def test_rows_that_are_only_added_need_no_key() -> None:
    assert make_contract(Table(name="t", cursor="at", **APPENDED), relation(())).key == []


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
    ],
)
def test_another_key_cursor_zone_screen_or_choice_of_columns_is_another_shape(
    settings: dict[str, Any],
) -> None:
    first = make_contract(Table(name="t", cursor="at", **BY), relation())
    other = make_contract(Table(name="t", **settings, **BY), relation())
    assert first.shape != other.shape


def test_rules_that_say_what_is_so_anyway_leave_the_shape_alone() -> None:
    said = {"rules": {"not_null": []}, "unrepresentable": "dead_letter"}
    first = make_contract(Table(name="t", **BY, cursor="at"), relation())
    same = make_contract(Table(name="t", **BY, cursor="at", **said), relation())
    assert first.shape == same.shape
