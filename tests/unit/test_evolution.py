"""What a copy does about each change of its source, as a table of cases."""

from dataclasses import replace
from typing import Any

import pytest

from tasks.errors import PermanentError
from tasks.source.catalog import Column
from tasks.table import Table
from tasks.transfer.evolution import Evolution, Shape, evolve

RETOLD = "its key, cursor, partitions, deletes, rules or columns changed, so it is read in full"
TABLE = Table(name="t")


def column(number: int, name: str, declared: str = "text", modifier: int = -1) -> Column:
    return Column(name, number, declared, declared.partition("(")[0], modifier, "S", False, False)


def numeric(precision: int, scale: int) -> Column:
    declared = f"numeric({precision},{scale})"
    return column(2, "x", declared, (precision << 16 | scale) + 4)


ID, NOTE, AT = column(1, "id", "int4"), column(2, "note"), column(3, "at", "timestamptz")
LATER, FILLED = column(4, "later"), replace(column(4, "later"), filled=True)


def shape(*columns: Column, **parts: Any) -> Shape:
    given = {"database": "1/shop", "oid": 7, "key": ("id",), "relation": str(columns), **parts}
    return Shape(columns=columns, **given)


BEFORE = shape(ID, NOTE, AT)


def evolved(old: Shape, new: Shape, table: Table = TABLE, **options: bool) -> Evolution:
    return evolve(old.keeping(old.kept), new, table, **options)


def test_nothing_is_done_where_nothing_changed() -> None:
    assert evolved(BEFORE, BEFORE) == Evolution()


def test_a_first_copy_is_whole_and_an_older_fingerprint_is_too_and_says_so() -> None:
    assert evolve(None, BEFORE, TABLE) == Evolution(whole=True)
    older = evolve("a3f9:id,note", BEFORE, TABLE)
    assert older.whole
    assert older.changes == ("its last shape is unknown, so it is read in full",)


def test_old_values_are_hidden_where_deleted_rows_are_kept_and_a_mask_has_changed() -> None:
    """Of rows that are in the source, all are read anew; the others can't be masked any more."""
    masks = {"mask": {"note": "redact", "later": "drop"}}
    soft = Table.model_validate({"name": "t", "deletes": "soft", "columns": masks})
    before = shape(ID, NOTE, AT, LATER, settings=("soft",))
    masked = shape(ID, NOTE, AT, settings=("note=redact.1", "soft"), excluded=("later",))
    evolution = evolved(before, masked, soft)
    assert evolution.hidden == {"note", "later"}
    assert "column note is NULL in deleted rows, to hide its old values" in evolution.changes
    assert evolved(masked, masked, soft).hidden == frozenset()
    unmasked = shape(ID, NOTE, AT, settings=("soft",), excluded=("later",))
    assert evolved(masked, unmasked, soft).hidden == frozenset()
    other = shape(ID, NOTE, AT, settings=("note=redact.2", "soft"), excluded=("later",))
    assert evolved(masked, other, soft).hidden == {"note"}
    assert evolve("of an older version", masked, soft).hidden == {"note"}
    assert evolved(before, masked, soft.model_copy(update={"deletes": "hard"})).hidden == set()


@pytest.mark.parametrize(
    ("new", "expected", "told"),
    [
        (
            shape(ID, NOTE, AT, LATER),
            Evolution(added=frozenset({"later"})),
            ["column later is new"],
        ),
        (
            shape(ID, NOTE, AT, replace(LATER, not_null=True)),
            Evolution(added=frozenset({"later"}), whole=True),
            ["column later is new, and older rows may hold a value in it, so it is read in full"],
        ),
        (
            shape(ID, NOTE, AT, FILLED),
            Evolution(added=frozenset({"later"}), whole=True),
            ["column later is new, and older rows may hold a value in it, so it is read in full"],
        ),
        (
            shape(ID, AT),
            Evolution(kept=(NOTE,)),
            ["column note was dropped; it stays in the copy, NULL in rows read from now on"],
        ),
        (
            shape(ID, replace(NOTE, name="remark"), AT),
            Evolution(renamed={"note": "remark"}),
            ["column note is called remark now"],
        ),
        (
            shape(ID, replace(NOTE, name="Note"), AT),
            Evolution(renamed={"note": "Note"}),
            ["column note is called Note now"],
        ),
        (
            shape(replace(ID, type="int8", declared="bigint"), NOTE, AT),
            Evolution(widened=frozenset({"id"})),
            ["column id was int4 and is bigint now"],
        ),
        (
            shape(replace(ID, name="number"), NOTE, AT, key=("number",)),
            Evolution(renamed={"id": "number"}, whole=True),
            [
                "column id is called number now",
                RETOLD,
            ],
        ),
        (
            shape(ID, AT, replace(NOTE, number=4)),
            Evolution(whole=True),
            [
                "the name note is in use again, so it is read in full and its columns are matched"
                " by name"
            ],
        ),
        (
            shape(ID, AT, replace(NOTE, number=4, name="Note")),
            Evolution(added=frozenset({"Note"}), kept=(NOTE,), whole=True),
            [
                "the name Note is in use again, so it is read in full and its columns are matched"
                " by name",
                "column note was dropped; it stays in the copy, NULL in rows read from now on",
                "column Note is new",
            ],
        ),
        (
            shape(ID, AT, excluded=("note",)),
            Evolution(kept=(NOTE,), whole=True),
            [
                "column note is excluded; it stays in the copy, NULL in rows read from now on",
                RETOLD,
            ],
        ),
        (
            shape(ID, NOTE, AT, settings=("at",)),
            Evolution(whole=True),
            [RETOLD],
        ),
    ],
)
def test_a_change_is_followed_and_told(new: Shape, expected: Evolution, told: list[str]) -> None:
    assert evolved(BEFORE, new) == replace(expected, changes=tuple(told))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"oid": 8}, "another table under its name (recreated or restored)"),
        ({"database": "2/shop"}, "two configurations share one warehouse.raw_schema: give each"),
    ],
)
def test_in_another_table_columns_are_matched_by_name_and_read_in_full(
    other: dict[str, Any], told: str
) -> None:
    moved = [replace(AT, number=1), replace(ID, number=2), replace(LATER, number=3)]
    evolution = evolved(BEFORE, shape(*moved, **other))
    assert (evolution.added, evolution.kept) == (frozenset({"later"}), (NOTE,))
    assert evolution.whole
    assert told in evolution.changes[0]


def test_a_dropped_column_is_told_once_and_kept_until_its_name_is_in_use_again() -> None:
    dropped = shape(ID, AT, kept=(NOTE,))
    assert evolved(dropped, shape(ID, AT)) == Evolution(kept=(NOTE,))
    assert evolved(dropped, shape(ID, AT, LATER)).kept == (NOTE,)
    assert evolved(dropped, shape(ID, AT, oid=8)).kept == (NOTE,)
    back = evolved(dropped, shape(ID, AT, replace(LATER, name="note")))
    assert (back.added, back.kept, back.whole) == (frozenset(), (), True)


def test_columns_that_exchange_their_names_are_matched_by_name() -> None:
    new = shape(ID, replace(NOTE, name="later"), AT, replace(LATER, name="note"))
    evolution = evolved(shape(ID, NOTE, AT, LATER), new)
    assert (evolution.renamed, evolution.whole) == ({}, True)


@pytest.mark.parametrize(
    ("was", "now", "wider"),
    [
        (column(2, "x", "int2"), column(2, "x", "int4"), True),
        (column(2, "x", "int2"), column(2, "x", "int8"), True),
        (column(2, "x", "int8"), column(2, "x", "int4"), False),
        (column(2, "x", "int4"), column(2, "x", "float8"), False),
        (column(2, "x", "float4"), column(2, "x", "float8"), True),
        (column(2, "x", "float8"), column(2, "x", "float4"), False),
        (column(2, "x", "varchar(5)", 9), column(2, "x", "varchar(6)", 10), True),
        (column(2, "x", "varchar(6)", 10), column(2, "x", "varchar(5)", 9), False),
        (column(2, "x", "varchar(5)", 9), column(2, "x", "varchar"), True),
        (column(2, "x", "varchar"), column(2, "x", "varchar(5)", 9), False),
        (column(2, "x", "varchar(5)", 9), column(2, "x", "text"), True),
        (column(2, "x", "text"), column(2, "x", "varchar"), True),
        (column(2, "x", "text"), column(2, "x", "varchar(5)", 9), False),
        (column(2, "x", "text"), column(2, "x", "int4"), False),
        (column(2, "x", "timestamp(3)", 3), column(2, "x", "timestamp"), True),
        (column(2, "x", "timestamp"), column(2, "x", "timestamp(3)", 3), False),
        (column(2, "x", "timestamp"), column(2, "x", "timestamptz"), False),
        (column(2, "x", "date"), column(2, "x", "timestamp"), False),
        (numeric(5, 2), numeric(9, 2), True),
        (numeric(9, 2), numeric(5, 2), False),
        (numeric(5, 2), numeric(9, 4), False),
        (numeric(5, 2), numeric(60, 2), False),
        (numeric(5, 2), column(2, "x", "numeric"), False),
        (column(2, "x", "numeric"), numeric(5, 2), False),
    ],
    ids=lambda value: getattr(value, "declared", None),
)
def test_a_type_is_widened_without_loss_or_stops_the_table(
    was: Column, now: Column, wider: bool
) -> None:
    if wider:
        assert evolved(shape(ID, was), shape(ID, now)).widened == {"x"}
        return
    told = f"column x was {was.declared} and is {now.declared} now"
    with pytest.raises(PermanentError) as refused:
        evolved(shape(ID, was), shape(ID, now))
    assert told in refused.value.message
    assert "run once with --full-refresh --tables t." in refused.value.remedy
    assert evolved(shape(ID, was), shape(ID, now), full_refresh=True).changes == (told,)


def test_another_type_under_a_name_that_comes_back_stops_the_table() -> None:
    with pytest.raises(PermanentError, match=r"column note was text and is int4 now"):
        evolved(shape(ID, kept=(NOTE,)), shape(ID, column(4, "note", "int4")))


def test_a_primary_key_that_changed_stops_the_table_and_a_key_that_is_chosen_anew_does_not() -> (
    None
):
    other = shape(ID, NOTE, AT, key=("id", "note"))
    with pytest.raises(PermanentError, match=r"its key was \(id\) and is \(id, note\) now"):
        evolved(BEFORE, other)
    assert evolved(BEFORE, other, full_refresh=True).whole
    assert evolved(BEFORE, other, Table(name="t", key=["id", "note"])).whole
    assert evolved(shape(ID, key=()), shape(ID)).whole


@pytest.mark.parametrize("full_refresh", [False, True])
@pytest.mark.parametrize(
    ("new", "told"),
    [
        (shape(ID, NOTE, AT, LATER), "column later is new"),
        (shape(ID, NOTE, AT, oid=8, relation="other"), "another table"),
        (shape(ID, NOTE, AT, relation="other"), "a column that is not copied"),
    ],
)
def test_any_change_stops_a_frozen_table(new: Shape, told: str, full_refresh: bool) -> None:
    frozen = Table(name="t", schema_change="freeze")
    with pytest.raises(PermanentError, match=f"schema_change is freeze: .*{told}"):
        evolved(BEFORE, new, frozen, full_refresh=full_refresh)


def test_a_choice_in_the_configuration_does_not_stop_a_frozen_table() -> None:
    frozen = Table(name="t", schema_change="freeze")
    without = shape(ID, AT, relation=BEFORE.relation, excluded=("note",))
    assert evolved(BEFORE, without, frozen).kept == (NOTE,)


CUBE = Column("place", 4, "cube", "cube.cube", -1, "U", False, False)
UNKNOWN = "column place is copied as text, since cube.cube is not known"


def test_a_type_that_nobody_knows_is_told_when_its_column_is_first_copied() -> None:
    assert evolve(None, shape(ID, CUBE), TABLE) == Evolution(whole=True, changes=(UNKNOWN,))
    assert evolved(shape(ID), shape(ID, CUBE)).changes == ("column place is new", UNKNOWN)
    assert evolved(shape(ID, CUBE), shape(ID, CUBE)).changes == ()
    declared = Table(name="t", columns={"as": {"place": "text"}})
    assert evolve(None, shape(ID, CUBE), declared).changes == ()


def mood(*labels: str) -> Column:
    """An enum of labels that were made in the order of their first letters."""
    parts = tuple(Column(each, ord(each[0]), "", "", -1, "", False, False) for each in labels)
    return Column("mood", 5, "mood", "public.mood", -1, "E", False, False, True, parts)


def address(*attributes: Column) -> Column:
    return Column("home", 6, "address", "public.address", -1, "C", False, False, True, attributes)


@pytest.mark.parametrize(
    ("was", "now", "redefined"),
    [
        (mood("ok", "sad"), mood("ok", "sad"), False),
        (mood("ok", "sad"), mood("glad", "ok", "sad"), False),
        (mood("ok", "sad"), mood("ok", "sorry"), True),
        (mood("ok", "sad"), replace(mood("ok", "sorry"), name="feeling"), True),
        (mood(), mood("ok"), False),
        (address(ID), address(ID, NOTE), False),
        (address(ID, NOTE), address(ID), True),
        (address(ID), address(replace(ID, name="number")), True),
        (address(ID), address(replace(ID, type="int8")), True),
        (address(address(ID)), address(address(AT)), True),
    ],
)
def test_another_meaning_of_a_type_is_read_in_full(
    was: Column, now: Column, redefined: bool
) -> None:
    evolution = evolved(shape(ID, was), shape(ID, now))
    told = f"type {now.declared} has other labels or attributes now, so it is read in full"
    assert evolution.whole is redefined
    assert (told in evolution.changes) is redefined
    if redefined:
        frozen = Table(name="t", schema_change="freeze")
        with pytest.raises(PermanentError, match=f"schema_change is freeze: .*{told}"):
            evolved(shape(ID, was, relation="r"), shape(ID, now, relation="r"), frozen)
