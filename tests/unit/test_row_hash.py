"""Texts of floats that all sides compute alike, and sums that tell exchanged values apart."""

import math

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.transfer.row_compare import copied_digests, copied_rows, differences
from tasks.transfer.row_hash import MODULUS, Hashing, RowHash, float_text
from tasks.transfer.types import Field, Kind
from tasks.warehouse.duckdb_hashes import OWN, PORTABLE

HASHED = RowHash([Field("note", Kind.TEXT)], [Field("id", Kind.INT32)])
TEXT = f"select {float_text('x')} from (select cast(? as double) as x)"


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(-1.7976931348623157e308)
@example(math.nextafter(2.0, 1.0))
@example(math.nextafter(2.0**-1022, 0.0))
def test_the_text_of_a_float_holds_every_bit_of_it(value: float) -> None:
    [(text,)] = duckdb.execute(TEXT, [value]).fetchall()
    whole, _, exponent = text.partition("p")
    assert math.ldexp(int(whole), int(exponent or 52) - 52) == value
    assert value == 0 or 2**52 <= abs(int(whole)) < 2**53


def rows(*values: tuple[int, str | None]) -> duckdb.DuckDBPyConnection:
    session = duckdb.connect()
    session.execute("create table t (id int, note varchar)")
    session.executemany("insert into t values (?, ?)", values)
    return session


def test_values_that_two_rows_have_exchanged_change_the_sums_of_their_range() -> None:
    # In one range of keys.
    pair = [(id_, "a") for id_ in range(9_000)]
    by_range: dict[int, list[int]] = {}
    for id_, _ in pair:
        number = OWN.row({f"'{id_}'": Kind.INT32})
        [(part,)] = duckdb.execute(f"select {number} % 4096").fetchall()
        by_range.setdefault(part, []).append(id_)
    one, other, *_ = next(ids for ids in by_range.values() if len(ids) > 1)
    for side in (OWN, PORTABLE):
        digest = HASHED.digests(side, "t")
        before = copied_digests(rows((one, "a"), (other, "b")).execute(digest).fetchall())
        after = copied_digests(rows((one, "b"), (other, "a")).execute(digest).fetchall())
        assert before != after


def test_rows_that_read_alike_from_end_to_end_have_numbers_of_their_own() -> None:
    texts = {"a": Kind.TEXT, "b": Kind.UUID, "c": Kind.INT32}  # Snowflake has UUIDs as text
    held = [None, "", "/", "a", "a/", "/a", "d41d8cd98f00b204e9800998ecf8427e"]
    all_rows = [(a, b, c) for a in held for b in held for c in (None, 1, 11)]
    session = duckdb.connect()
    session.execute("create table t (a varchar, b varchar, c varchar)")
    session.executemany("insert into t values (?, ?, ?)", all_rows)
    for side in (OWN, PORTABLE):
        [(numbers,)] = session.execute(
            f"select count(distinct {side.row(texts)}) from t"
        ).fetchall()
        assert numbers == len(all_rows)


@pytest.mark.parametrize("key", [[], [Field("c0", Kind.TEXT)]], ids=["no key", "key"])
@pytest.mark.parametrize("side", [OWN, PORTABLE], ids=["own", "portable"])
def test_a_table_of_as_many_columns_as_postgresql_has_is_compared(
    side: Hashing, key: list[Field]
) -> None:
    columns = [f"c{n}" for n in range(1600)]
    session = duckdb.connect()
    session.execute(f"create table t ({', '.join(f'{each} varchar' for each in columns)})")
    session.execute("insert into t (c0) values ('a')")
    hashed = RowHash([Field(each, Kind.TEXT) for each in columns[1:]], key)
    [(_, count, *sums)] = session.execute(hashed.digests(side, "t")).fetchall()
    assert count == 1
    assert sums[0]


def test_sums_that_wrap_around_are_those_of_the_warehouse() -> None:
    session = rows(*((id_, f"note {id_}") for id_ in range(200)))
    wrapped = session.execute(HASHED.digests(OWN, "t", modulus=True)).fetchall()
    exact = session.execute(HASHED.digests(OWN, "t")).fetchall()
    assert {str(part): tuple(sums) for part, *sums in wrapped} == copied_digests(exact)
    halves = pl.DataFrame({"sum": [MODULUS - 1, 2]}, schema={"sum": pl.UInt64})
    assert halves.sum().item() == 1


def test_each_difference_of_rows_is_told_once_with_its_columns() -> None:
    every = [str(part) for part in range(4096)]

    def found(*values: tuple[int, str | None]) -> pl.DataFrame:
        return copied_rows(rows(*values).execute(HASHED.rows(OWN, "t", every)).fetchall(), HASHED)

    theirs = found((1, "a"), (2, None), (3, "c"), (4, "d"))
    ours = found((1, "a"), (2, "b"), (4, "d"), (4, "d"), (5, "e"), (6, "f"))
    [six] = found((6, "f"))["k"]
    told = [
        (each.what, each.key, each.columns) for each in differences(HASHED, theirs, ours, {six})
    ]
    assert told == [
        ("different", '{"id": "2"}', ("note",)),
        ("missing", '{"id": "3"}', ()),
        ("doubled", '{"id": "4"}', ()),
        ("extra", '{"id": "5"}', ()),
    ]
