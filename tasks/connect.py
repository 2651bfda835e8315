"""From the configuration to a source and a warehouse."""

from types import ModuleType

from tasks.blocks import snowflake_login, source_conninfo
from tasks.config import Config
from tasks.source.connection import Source
from tasks.source.embedded import start
from tasks.transfer.types import Limits
from tasks.warehouse import duckdb_names, snowflake_names
from tasks.warehouse.base import Warehouse


def open_source(config: Config) -> Source:
    """The configured source; the demo's server is started when it isn't running.

    Raises:
        ConfigError: When the demo's server can't start, or the block is missing or wrong.
    """
    if config.source.demo:
        return Source(start(config.source.demo.directory))
    if config.source.url:
        return Source(config.source.url.get_secret_value())
    return Source(source_conninfo(config.source))


def open_warehouse(config: Config, **tag: str) -> Warehouse:
    """A session with the configured warehouse.

    Args:
        tag: What is said of the session beside its queries, such as run and table.

    Raises:
        ConfigError: When credentials are missing or can't be read.
        PermanentError: When Snowflake refuses them.
        TransientError: When another process owns the DuckDB file, or Snowflake can't be reached.
    """
    if config.warehouse.kind == "duckdb":
        from tasks.warehouse.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(config.warehouse.path, config.warehouse.raw_schema)
    from tasks.warehouse.snowflake import SnowflakeWarehouse

    login = snowflake_login(config.warehouse)
    return SnowflakeWarehouse(login.connect, config.warehouse.raw_schema, tag)


def names_of(config: Config) -> ModuleType:
    """The module of the configured warehouse's names and types."""
    return {"duckdb": duckdb_names, "snowflake": snowflake_names}[config.warehouse.kind]


def limits(config: Config) -> Limits:
    """What the types of the configured warehouse can't hold."""
    found: Limits = names_of(config).WAREHOUSE_LIMITS
    return found
