"""The step that runs dbt."""

import psycopg
import pytest

from tasks.errors import TransformFailed
from tests.conftest import Night, Write


def test_a_selection_that_matches_nothing_fails_the_night(
    source: psycopg.Connection, config_file: Write, night: Night
) -> None:
    source.execute("create table t (id int primary key)")
    config = config_file([{"name": "t"}], dbt={"select": "no_such_model"})
    with pytest.raises(TransformFailed, match=r"no_such_model.*dbt\.select"):
        night(config, skip_dbt=False)
