"""`make blocks CONFIG=...`: saves the Prefect blocks that a configuration names.

What they hold comes from the environment: SOURCE_URL and the SNOWFLAKE_* variables. Running it
again overwrites them.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretBytes, TypeAdapter, ValidationError

from tasks.blocks import prefect_server, snowflake_login
from tasks.config import Config, Warehouse, load_config
from tasks.errors import ConfigError, DaybreakError
from tasks.fields import PostgresUrl

if TYPE_CHECKING:
    from prefect_sqlalchemy import ConnectionComponents


def register(config: Config) -> Iterator[str]:
    """Saves each block that the configuration names; yields what it made, never a secret.

    Raises:
        ConfigError: When it names none, or a variable is missing or wrong.
        TransientError: When Prefect's server does not answer.
    """
    if not (config.source.block or config.warehouse.block):
        raise ConfigError(
            "The configuration names no block.", remedy="Set source.block or warehouse.block."
        )
    if config.source.block:
        yield register_source(config.source.block)
    if config.warehouse.block:
        yield register_snowflake(config.warehouse)


def register_source(name: str) -> str:
    """Saves the database of SOURCE_URL as a SqlAlchemyConnector."""
    from prefect_sqlalchemy import SqlAlchemyConnector

    components = components_of(os.environ.get("SOURCE_URL", ""))
    label = f"SQLAlchemy Connector block {name}"
    with prefect_server(label):
        SqlAlchemyConnector(connection_info=components).save(name, overwrite=True)
    return f"{label}: database {components.database}, user {components.username}"


def components_of(url: str) -> "ConnectionComponents":
    """A libpq URL as prefect-sqlalchemy keeps it.

    Raises:
        ConfigError: When libpq can't read it.
    """
    from prefect_sqlalchemy import ConnectionComponents

    try:
        TypeAdapter(PostgresUrl).validate_python(url)
    except ValidationError as error:
        said = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"SOURCE_URL is no PostgreSQL URL: {said}.",
            remedy="Set it to postgresql://user:password@host:port/database.",
        ) from None
    given: dict[str, Any] = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    named = {
        component: given.pop(key, None)
        for component, key in (
            ("username", "user"),
            ("password", "password"),
            ("database", "dbname"),
        )
    }
    host = given.get("host")
    if host and not set(host) & set(",/:"):  # others have their place in the query
        named |= {"host": given.pop("host"), "port": given.pop("port", None)}
    return ConnectionComponents(driver="postgresql+psycopg", query=given, **named)


def register_snowflake(warehouse: Warehouse) -> str:
    """Saves a SnowflakeConnector with its credentials in it, the private key's text included.

    Not as a reference to a block of their own, in which Prefect drops host, port and protocol.
    """
    from prefect_snowflake import SnowflakeConnector

    assert warehouse.block is not None
    login = snowflake_login(warehouse.model_copy(update={"block": None}))
    credentials = login.credentials
    if credentials.private_key_path:
        key = SecretBytes(credentials.private_key_path.read_bytes())
        credentials = credentials.model_copy(update={"private_key": key, "private_key_path": None})
    label = f"Snowflake Connector block {warehouse.block}"
    with prefect_server(label):
        SnowflakeConnector(
            credentials=credentials,
            database=login.database,
            warehouse=login.warehouse,
            schema=warehouse.raw_schema,
        ).save(warehouse.block, overwrite=True)
    return f"{label}: account {credentials.account}, database {login.database}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Says each block it saved; exits with 2 when something is missing or wrong."""
    parser = argparse.ArgumentParser(prog="make blocks", description="Save the Prefect blocks.")
    parser.add_argument("config", type=Path, help="the configuration that names them")
    try:
        for made in register(load_config(parser.parse_args(arguments).config)):
            print(f"Saved the {made}.")
    except DaybreakError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
