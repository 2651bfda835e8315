"""Snowflake's login from environment variables, for runs that name no Prefect block."""

from collections.abc import Mapping

from tasks.errors import ConfigError

#: Each variable and what prefect-snowflake's SnowflakeCredentials calls it.
CREDENTIALS = {
    "SNOWFLAKE_ACCOUNT": "account",
    "SNOWFLAKE_USER": "user",
    "SNOWFLAKE_ROLE": "role",
    "SNOWFLAKE_AUTHENTICATOR": "authenticator",
    "SNOWFLAKE_PASSWORD": "password",
    "SNOWFLAKE_PRIVATE_KEY": "private_key",
    "SNOWFLAKE_PRIVATE_KEY_PATH": "private_key_path",
    "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "private_key_passphrase",
    "SNOWFLAKE_TOKEN": "token",
    "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "workload_identity_provider",
    "SNOWFLAKE_HOST": "host",
    "SNOWFLAKE_PORT": "port",
    "SNOWFLAKE_PROTOCOL": "protocol",
}
#: What logs in, by SNOWFLAKE_AUTHENTICATOR: one of these, and what may accompany it.
WAYS_IN = {
    "": {
        "SNOWFLAKE_PASSWORD": "",
        "SNOWFLAKE_PRIVATE_KEY_PATH": "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
        "SNOWFLAKE_PRIVATE_KEY": "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
    },
    "oauth": {"SNOWFLAKE_TOKEN": ""},
    "workload_identity": {"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "SNOWFLAKE_TOKEN"},
}
PROOFS = {name for ways in WAYS_IN.values() for way in ways.items() for name in way if name}


def credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The arguments of SnowflakeCredentials.

    Raises:
        ConfigError: When a variable is missing, unknown to its authenticator or one too many.
    """
    required(environment, "SNOWFLAKE_ACCOUNT")
    authenticator = environment.get("SNOWFLAKE_AUTHENTICATOR", "").lower()
    if authenticator not in WAYS_IN:
        raise ConfigError(
            f"SNOWFLAKE_AUTHENTICATOR is {authenticator}.",
            remedy="Set it to oauth or workload_identity; leave it out for a key or a password.",
        )
    if authenticator != "workload_identity":
        required(environment, "SNOWFLAKE_USER")
    _check_way_in(authenticator, {name for name in PROOFS if environment.get(name)})
    given = {name: environment[name] for name in CREDENTIALS if environment.get(name)}
    if authenticator:
        given["SNOWFLAKE_AUTHENTICATOR"] = authenticator
    return {CREDENTIALS[name]: value for name, value in given.items()}


def required(environment: Mapping[str, str], name: str) -> str:
    """A variable's value.

    Raises:
        ConfigError: When it is not set, or empty.
    """
    if value := environment.get(name):
        return value
    raise ConfigError(
        f"The environment variable {name} is not set.",
        remedy="Set it, or name a Prefect block in warehouse.block.",
    )


def _check_way_in(authenticator: str, given: set[str]) -> None:
    ways = WAYS_IN[authenticator]
    if any(name in given <= {name, companion} for name, companion in ways.items()):
        return
    where = f" with SNOWFLAKE_AUTHENTICATOR={authenticator}" if authenticator else ""
    listed = "; or ".join(
        f"{name}{f' (and {companion})' if companion else ''}" for name, companion in ways.items()
    )
    raise ConfigError(
        f"To log in to Snowflake{where}, the environment has"
        f" {' and '.join(sorted(given)) or 'neither key nor password'}.",
        remedy=f"Set {listed}; and no other.",
    )
