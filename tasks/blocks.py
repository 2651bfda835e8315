"""Connections from Prefect blocks, or from environment variables where no block is named.

Blocks are loaded here and nowhere else: the folders get a function that connects.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from pydantic import SecretBytes, SecretStr, ValidationError

from tasks import variables
from tasks.config import Source, Warehouse
from tasks.errors import ConfigError, TransientError
from tasks.warehouse.snowflake_session import bounded_waits

if TYPE_CHECKING:
    from prefect_snowflake import SnowflakeCredentials
    from snowflake.connector import SnowflakeConnection

SomeBlock = TypeVar("SomeBlock", bound=Block)

# Seconds; a block may say otherwise. Statements are given limits of their own.
TIMEOUTS = {"login_timeout": 10, "network_timeout": 120, "platform_detection_timeout_seconds": 0.0}
SESSION = {
    "CLIENT_TELEMETRY_ENABLED": False,
    # Else a wrong database or warehouse shows only at the first statement that needs it.
    "CLIENT_VALIDATE_DEFAULT_PARAMETERS": True,
}


@dataclass(frozen=True)
class Login:
    """Who logs in to Snowflake, and where to; its secrets never show in a repr."""

    credentials: "SnowflakeCredentials" = field(repr=False)
    database: str
    warehouse: str

    def connect(self, session_parameters: dict[str, Any]) -> "SnowflakeConnection":
        """Opens a session of its own, never the block's cached connection.

        Raises:
            snowflake.connector.Error: When Snowflake refuses it or can't be reached.
        """
        from snowflake.connector.errors import Error

        try:
            session: SnowflakeConnection = self._open(session_parameters)
        except Error as error:
            error.msg = f"{error.msg} ({self})"  # which often says neither who nor where
            raise
        return session

    def _open(self, session_parameters: dict[str, Any]) -> Any:
        of_block = self.credentials.model_extra or {}
        options = {
            **TIMEOUTS,
            **of_block,
            "database": self.database,
            "warehouse": self.warehouse,
            "autocommit": True,
            "paramstyle": "qmark",
            "log_imported_packages_in_telemetry": False,
            "session_parameters": {
                **of_block.get("session_parameters", {}),
                **SESSION,
                **session_parameters,
            },
        }
        waits = partial(bounded_waits, options["network_timeout"])
        return self.credentials.get_client(**options, backoff_policy=waits)

    def __str__(self) -> str:
        """Who and where, for messages."""
        who = self.credentials
        return (
            f"user {who.user}, account {who.account}, role {who.role or 'by default'},"
            f" warehouse {self.warehouse}, database {self.database}"
        )

    def environment(self) -> dict[str, str]:
        """The SNOWFLAKE_* variables that lead another process to the same place.

        They hold the secrets: for a child's environment and nothing else.
        """
        given = {
            name: _plain(value)
            for name, argument in variables.CREDENTIALS.items()
            if (value := getattr(self.credentials, argument, None))
        }
        return given | {"SNOWFLAKE_DATABASE": self.database, "SNOWFLAKE_WAREHOUSE": self.warehouse}


def snowflake_login(warehouse: Warehouse) -> Login:
    """The login of the configured block, or of the environment where no block is named.

    Raises:
        ConfigError: When the block or a variable is missing, or the private key can't be read.
        TransientError: When Prefect's server does not answer.
    """
    login = _login_of_block(warehouse) if warehouse.block else _login_of_environment(warehouse)
    _check_key(login.credentials)
    return login


def _login_of_block(warehouse: Warehouse) -> Login:
    from prefect_snowflake import SnowflakeConnector

    assert warehouse.block is not None
    connector = load(SnowflakeConnector, warehouse.block)
    return Login(
        connector.credentials, warehouse.database or connector.database, connector.warehouse
    )


def _login_of_environment(warehouse: Warehouse) -> Login:
    given = variables.credentials(os.environ)
    database = warehouse.database or variables.required(os.environ, "SNOWFLAKE_DATABASE")
    compute = variables.required(os.environ, "SNOWFLAKE_WAREHOUSE")
    from prefect_snowflake import SnowflakeCredentials

    try:
        return Login(SnowflakeCredentials.model_validate(given), database, compute)
    except ValidationError as error:
        raise ConfigError(
            f"The SNOWFLAKE_* variables don't go together: {_first_message(error)}.",
            remedy="Correct them in the environment.",
        ) from None


def _check_key(credentials: "SnowflakeCredentials") -> None:
    """Reads the private key, if there is one, before the first connection needs it."""
    from prefect_snowflake.credentials import InvalidPemFormat

    try:
        credentials.resolve_private_key()
    except OSError as error:
        raise ConfigError(
            f"The private key {credentials.private_key_path} can't be read: {error.strerror}.",
            remedy="Correct SNOWFLAKE_PRIVATE_KEY_PATH, or private_key_path of the block.",
        ) from None
    except InvalidPemFormat:
        raise ConfigError(
            "Snowflake's private key is not in PEM format.",
            remedy="It starts with -----BEGIN PRIVATE KEY----- or BEGIN ENCRYPTED PRIVATE KEY.",
        ) from None
    except (TypeError, ValueError) as error:
        said = str(error).split(",", 1)[0].split(".", 1)[0]
        raise ConfigError(
            f"Snowflake's private key can't be opened: {said}.",
            remedy="Correct SNOWFLAKE_PRIVATE_KEY_PASSPHRASE, or the block's passphrase.",
        ) from None


def source_conninfo(source: Source) -> str:
    """The libpq connection string of the block that `source.block` names.

    Raises:
        ConfigError: When it is missing, not PostgreSQL's, or has an option that libpq has not.
        TransientError: When Prefect's server does not answer.
    """
    from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector
    from sqlalchemy.engine import make_url

    assert source.block is not None
    block = load(SqlAlchemyConnector, source.block)
    info = block.connection_info
    url = info.create_url() if isinstance(info, ConnectionComponents) else make_url(str(info))
    if url.get_backend_name() != "postgresql":
        raise ConfigError(
            f"The block {source.block} connects to {url.get_backend_name()}.",
            remedy="source.block must name a PostgreSQL one; its driver starts with postgresql.",
        )
    # Its dialect knows how SQLAlchemy spells several hosts.
    dialect = url.set(drivername="postgresql+psycopg").get_dialect()()
    _, arguments = dialect.create_connect_args(url)
    try:
        return make_conninfo(**arguments, **block.connect_args or {})
    except (ProgrammingError, TypeError) as error:
        said = str(error).strip()
        raise ConfigError(
            f"The block {source.block} has an option that libpq has not: {said}.",
            remedy="Name options as libpq does: sslmode, sslrootcert, options, ...",
        ) from None


def load(kind: type[SomeBlock], name: str) -> SomeBlock:
    """The saved block.

    Raises:
        ConfigError: When there is none of this kind and name, or it can't be understood.
        TransientError: When Prefect's server does not answer.
    """
    label = f"{kind.get_block_type_name()} block {name}"
    try:
        with prefect_server(label):
            return cast(SomeBlock, kind.load(name))
    except ValidationError as error:
        raise ConfigError(
            f"The {label} is not complete: {_first_message(error)}.", remedy="Save it anew."
        ) from None
    except ValueError:
        raise ConfigError(
            f"Prefect has no {label}.",
            remedy="Make it in Prefect's UI, or by `make blocks CONFIG=...`.",
        ) from None


@contextmanager
def prefect_server(label: str) -> Iterator[None]:
    """Holds what is done with a block to a Prefect server that lasts and answers.

    Raises:
        ConfigError: When PREFECT_API_URL names none.
        TransientError: When it does not answer, or refuses.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise ConfigError(
            f"The {label} is kept by a Prefect server, and PREFECT_API_URL names none.",
            remedy="Set PREFECT_API_URL, or leave the block out and use environment variables.",
        )
    try:
        yield
    except httpx.HTTPError as error:
        raise TransientError(
            f"Prefect's server {url} did not handle the {label}: {str(error) or 'no answer'}.",
            remedy="Check PREFECT_API_URL and that the server runs.",
        ) from None


def _first_message(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field_name = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").strip()
    return f"{field_name}: {said}" if field_name else said


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr | SecretBytes):
        value = value.get_secret_value()
    return value.decode() if isinstance(value, bytes) else str(value)
