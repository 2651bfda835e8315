"""The types of the configuration's values: each refuses what it can't mean and says what it can."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: Stands for every column in a map of columns.
EVERY = "*"


def refuse_boolean(value: Any) -> Any:
    """Keeps YAML's `yes`, `off` and `true` from becoming a number or a name."""
    if isinstance(value, bool):
        raise ValueError("expected no true or false; quote the word if it is a name")
    return value


def parse_duration(value: Any) -> timedelta:
    """Turns `10m`, `1h`, `30s`, `2d` or `0` into a timedelta."""
    if isinstance(value, timedelta):
        return value
    text = str(value)
    if text == "0":
        return timedelta(0)
    try:
        if text[:-1].isascii() and text[:-1].isdecimal():
            return timedelta(seconds=int(text[:-1]) * UNITS[text[-1]])
    except (KeyError, OverflowError, ValueError):
        pass
    raise ValueError("expected a duration such as 30s, 10m, 2h or 1d")


def _parse_lag(value: Any) -> timedelta | int:
    """An integer other than 0 counts values, all else is a duration."""
    if type(value) is int and value > 0:
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or a whole number for an integer cursor") from None


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError("expected a time zone such as Europe/Berlin") from None
    return name


def clock_shift(zone: str) -> timedelta:
    """How far a zone's clocks are set back within a year before or after now; 0 if not at all."""
    now = datetime.now(UTC)
    weeks = (now + timedelta(weeks=week) for week in range(-53, 53))
    offsets = [instant.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for instant in weeks]
    return max(offsets) - min(offsets)


def _postgres_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        url = ""  # libpq's own complaint would quote the password
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("expected a URL that starts with postgresql:// and that libpq can read")
    if _has_open_password(url):
        raise ValueError("expected the password percent-encoded: @ as %40, / as %2F")
    return value


def _has_open_password(url: str) -> bool:
    """Whether libpq would take a part of the password for a host, a port or a database."""
    authority, _, path = url.split("://", 1)[1].partition("/")
    ports = str(conninfo_to_dict(url).get("port", "")).split(",")
    return (
        authority.count("@") > 1
        or "@" in path.split("?", 1)[0]
        or any(port and not port.isdecimal() for port in ports)
    )


def _store_path(path: str) -> str:
    scheme, found, place = path.partition("://")
    if not found:
        return path
    if scheme not in ("s3", "gs") or not place.strip("/"):
        raise ValueError("expected a folder, s3://bucket/path or gs://bucket/path")
    if "@" in place or "?" in place:
        raise ValueError("expected a URL without credentials or options, which the environment has")
    return path


def _distinct(names: list[str]) -> list[str]:
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected each name once; {doubled[0]} is there twice")
    return names


def _spelled(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _spelled_bound(value: Any) -> Any:
    """Numbers and dates as text, which is read as a value of the column's type later."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, int | float | date) else value


def _for_every_column(value: Any) -> Any:
    return value if isinstance(value, dict) else {EVERY: value}


def _no_empty_word(value: Any) -> Any:
    """YAML's null is no word, and an empty setting is the same to it."""
    if value is None:
        raise ValueError('expected dead_letter, "null" in quotes, or fail')
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^(0|\d+[smhd])$"}),
]
Lag = Annotated[
    timedelta | int,
    BeforeValidator(_parse_lag),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^(0|\d+[smhd])$", "minimum": 0}),
]
StorePath = Annotated[str, Field(min_length=1), AfterValidator(_store_path)]
Zone = Annotated[str, AfterValidator(_known_zone)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], AfterValidator(_distinct)]
Value = Annotated[str, BeforeValidator(_spelled)]
Accepted = dict[Name, Annotated[list[Value], Field(min_length=1)]]
Bound = Annotated[
    str, BeforeValidator(_spelled_bound), WithJsonSchema({"type": ["number", "string"]})
]
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, le=1)]
Growth = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0)]
Ratios = dict[Name, Ratio]
Policy = Annotated[
    Literal["dead_letter", "null", "fail"],
    BeforeValidator(_no_empty_word),
]
POLICY_SCHEMA = {"enum": ["dead_letter", "null", "fail"]}
PolicyOrPolicies = Annotated[
    dict[Name, Policy],
    BeforeValidator(_for_every_column),
    WithJsonSchema(
        {"anyOf": [POLICY_SCHEMA, {"type": "object", "additionalProperties": POLICY_SCHEMA}]}
    ),
]
RATIO_SCHEMA = {"type": "number", "minimum": 0, "maximum": 1}
RatioOrRatios = Annotated[
    Ratios,
    BeforeValidator(_for_every_column),
    WithJsonSchema(
        {"anyOf": [RATIO_SCHEMA, {"type": "object", "additionalProperties": RATIO_SCHEMA}]}
    ),
]
