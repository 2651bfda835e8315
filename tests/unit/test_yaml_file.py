"""No text, however odd, makes the loader stumble."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import load_config
from tasks.errors import ConfigError

NAMES = ["source", "tables", "name", "a", "lag", "key", "breaker", "x"]
SIGNS = [
    ":",
    "-",
    " ",
    "\n",
    "\n  ",
    "{",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "!!int",
    "!foo",
    "?",
    "|",
    "'",
]
VALUES = ["2020-99-99", "1e999", "~", "0x", "99:99", "true", "é"]


@given(st.lists(st.sampled_from(NAMES + SIGNS + VALUES), max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_an_odd_file_is_told_of(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tables.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"tables\.yaml"):
            load_config(path)
