"""The number that stands for a key."""

from hashlib import md5

import duckdb
import pytest

from tasks.transfer.key_hash import DIGITS, key_digits


def digits(*key: str) -> str:
    columns = [f"c{number}" for number in range(len(key))]
    marks = ", ".join("?" for _ in key)
    query = f"select {key_digits(columns)} from (select {marks}) k({', '.join(columns)})"
    [(found,)] = duckdb.connect().execute(query, list(key)).fetchall()
    return str(found)


def test_a_key_of_one_column_has_the_first_digits_of_its_md5() -> None:
    assert digits("é") == md5("é".encode()).hexdigest()[:DIGITS]


@pytest.mark.parametrize("other", [("ab", "c"), ("a", "bc", ""), ("bc", "a"), ("abc",)])
def test_keys_of_several_columns_differ_by_where_each_ends(other: tuple[str, ...]) -> None:
    assert digits("a", "bc") != digits(*other)
