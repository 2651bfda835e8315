"""The number that stands for a key."""

from hashlib import md5

import duckdb
import pytest

from tasks.transfer.key_hash import BUCKETS, DIGITS, hash_digits, in_buckets, key_md5


def digits(*key: str) -> str:
    columns = [f"c{number}" for number in range(len(key))]
    marks = ", ".join("?" for _ in key)
    of_key = f"from (select {marks}) k({', '.join(columns)})"
    query = f"select {hash_digits(key_md5(columns))} {of_key}"
    [(found,)] = duckdb.connect().execute(query, list(key)).fetchall()
    return str(found)


def test_a_key_is_found_in_the_bucket_of_its_hash_and_in_no_other() -> None:
    md5, number = key_md5(["'a'"]), int(digits("a"), 16) % BUCKETS
    for buckets, found in (([number], True), ([number - 1, number + 1], False)):
        query = f"select {in_buckets(md5, buckets)}"
        assert duckdb.connect().execute(query).fetchall() == [(found,)]


def test_a_key_of_one_column_has_the_first_digits_of_its_md5() -> None:
    assert digits("é") == md5("é".encode()).hexdigest()[:DIGITS]


@pytest.mark.parametrize("other", [("ab", "c"), ("a", "bc", ""), ("bc", "a"), ("abc",)])
def test_keys_of_several_columns_differ_by_where_each_ends(other: tuple[str, ...]) -> None:
    assert digits("a", "bc") != digits(*other)
