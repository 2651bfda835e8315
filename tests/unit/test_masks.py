"""Masks: what stays readable of a value, and what does not."""

import hashlib
import hmac
import re
from typing import get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transfer.masks import Kind, Mask


def masked(mask: Mask, *values: str | None) -> list[str | None]:
    return pl.DataFrame({"v": values}, {"v": pl.String}).select(mask.apply("v"))["v"].to_list()


@given(st.text(max_size=50), st.text(min_size=1, max_size=100))
def test_an_hmac_is_that_of_the_standard_library(value: str, key: str) -> None:
    expected = hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()
    assert masked(Mask("hmac_sha256", key), value) == [expected]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_null_stays_null(kind: Kind) -> None:
    assert masked(Mask(kind, "key"), None, "x")[0] is None


def test_a_redacted_value_says_nothing() -> None:
    assert masked(Mask("redact"), "secret", "") == ["***", "***"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann.lee@example.com", "a***@example.com"),
        ("a@example.com", "a***@example.com"),
        ("a.b+c@mail.example.co.uk", "a***@mail.example.co.uk"),
        ("ann@bücher.example", "a***@bücher.example"),
        ("call @ 4111-1111-1111-1111", "**********************1111"),
        ("pa@ss", "*****"),
        ("secret@example.com tail", "*******************tail"),
        ("secret@one.example, b@two.example", "*****************************mple"),
        ("secret\n@example.com", "***************.com"),
        ("secret@4111 1111.1111", "*****************1111"),
        ("4111111111111111", "************1111"),
        ("4111 1111 1111 1111", "***************1111"),
        ("12345678", "****5678"),
        ("1234567", "*******"),
        ("line\nbreak", "******reak"),
        ("@", "*"),
        ("", ""),
    ],
)
def test_a_partial_value_shows_its_domain_or_its_end(value: str, expected: str) -> None:
    assert masked(Mask("partial"), value) == [expected]


@given(st.text(max_size=30))
def test_a_partial_value_never_shows_more_than_its_end_or_domain(value: str) -> None:
    [shown] = masked(Mask("partial"), value)
    assert shown is not None
    assert "*" in shown or not value
    if re.search(r"\s", value) or value.count("@") != 1:
        assert shown.strip("*") in value[-4:]


def test_a_key_is_not_in_a_repr() -> None:
    assert "hush" not in repr(Mask("hmac_sha256", "hush"))
