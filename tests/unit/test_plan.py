"""Which tables a night copies."""

from tasks.config import Config
from tasks.plan import chosen


def test_a_table_that_is_named_twice_is_copied_once() -> None:
    config = Config.model_validate({"source": {"demo": {}}, "tables": [{"name": "t"}]})
    assert chosen(config, ["t", "t"]) == config.tables
