"""A night on a database of the test's own, from the source's tables to the warehouse's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import Night

Write = Callable[..., Path]
Query = Callable[..., list[tuple[Any, ...]]]


def test_a_full_refresh_replaces_every_row(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Query
) -> None:
    source.execute("create table t (id int primary key, name text)")
    source.execute("insert into t values (1, 'a'), (2, 'b')")
    config = config_file([{"name": "t"}])
    night(config)
    source.execute("delete from t where id = 1")
    source.execute("update t set name = 'c' where id = 2")
    night(config)
    assert warehouse("select id, name from raw.t") == [(2, "c")]
