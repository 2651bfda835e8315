"""From the configuration to a source and a warehouse."""

from tasks.config import Config
from tasks.errors import ConfigError
from tasks.source.connection import Source
from tasks.source.embedded import start
from tasks.warehouse.base import Warehouse


def open_source(config: Config) -> Source:
    """The configured source; the demo's server is started when it isn't running.

    Raises:
        ConfigError: When the demo's server can't start.
    """
    if config.source.demo:
        return Source(start(config.source.demo.directory))
    assert config.source.url is not None
    return Source(config.source.url.get_secret_value())


def open_warehouse(config: Config) -> Warehouse:
    """A session with the configured warehouse.

    Raises:
        TransientError: When another process owns the DuckDB file.
    """
    if config.warehouse.kind == "duckdb":
        from tasks.warehouse.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(config.warehouse.path, config.warehouse.raw_schema)
    raise ConfigError("Snowflake is not built in this version.", remedy="Use kind: duckdb.")
