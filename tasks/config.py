"""The YAML file as typed, frozen models.

Unknown keys are refused: a night must never run with a setting that is silently ignored.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    Field,
    HttpUrl,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from tasks.errors import ConfigError
from tasks.fields import (
    Accepted,
    Duration,
    Name,
    Names,
    PostgresUrl,
    Ratios,
    StorePath,
)
from tasks.table import Model, Table
from tasks.yaml_file import YamlFile


class Demo(Model):
    """The embedded PostgreSQL that stands in for a source on a laptop."""

    directory: Path = Field(Path(".daybreak/source"), description="Where its data lies.")
    scale: float = Field(1, gt=0, description="Size of the shop; 1 is 100,000 orders.")


class Source(Model):
    """The PostgreSQL database to copy from; exactly one of url, block and demo."""

    url: PostgresUrl | None = Field(
        None, description="libpq URL, from the environment: `${SOURCE_URL}`."
    )
    block: str | None = Field(None, description="Name of a prefect-sqlalchemy SqlAlchemyConnector.")
    demo: Demo | None = Field(None, description="Use the embedded demo source.")
    schema_: str = Field("public", alias="schema", description="Schema of unqualified tables.")
    streams: int = Field(2, ge=1, le=16, description="Parallel readers a table.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(part is not None for part in (self.url, self.block, self.demo)) != 1:
            raise ValueError("expected exactly one of url, block and demo")
        return self


class Warehouse(Model):
    """Where the copy lives."""

    kind: Literal["duckdb", "snowflake"] = Field("duckdb", description="Which warehouse.")
    path: Path = Field(Path(".daybreak/warehouse.duckdb"), description="DuckDB: its file.")
    block: str | None = Field(None, description="Snowflake: name of its Prefect block.")
    database: str | None = Field(None, description="Snowflake: the database.")
    raw_schema: str = Field("raw", description="Schema of the copied tables and the ledger.")
    file_size: int = Field(
        128, ge=16, le=250, description="MB at which a staging file is closed and uploaded."
    )


class Defaults(Model):
    """What holds for every table."""

    retries: int = Field(3, ge=0, le=20, description="Retries of a table after a TransientError.")
    retry_delay: Duration = Field(
        timedelta(minutes=5), description="Wait before the first retry; doubles up to 30m."
    )


class Dbt(Model):
    """What dbt builds after the sync."""

    target: str | None = Field(
        None, description="Target of dbt/profiles.yml; the warehouse's kind when empty."
    )
    select: str | None = Field(None, description="dbt node selection; everything when empty.")


class MaxAge(Model):
    column: Name = Field(description="Timestamp column.")
    hours: float = Field(gt=0, description="Largest age of its newest value, in hours.")


class Check(Model):
    """Thresholds of one published relation."""

    relation: str = Field(pattern=r"^[^.]+\.[^.]+$", description="schema.relation to measure.")
    unique: Names = Field([], description="Columns that together must be unique.")
    max_null_ratio: Ratios = Field({}, description="Largest share of NULLs a column.")
    min_rows: int | None = Field(None, ge=0, description="Fewest rows.")
    max_rows: int | None = Field(None, ge=0, description="Most rows.")
    max_age: MaxAge | None = Field(None, description="Largest age of the newest row.")
    accepted: Accepted = Field({}, description="Allowed values of a column.")
    sql: dict[str, str] = Field({}, description="Named queries that must return no row.")


class Cost(Model):
    """Snowflake's prices, with which runs look up what they cost."""

    credit_price: float = Field(gt=0, description="Price of a credit.")
    currency: str = Field("USD", description="Of the prices and the budget.")
    monthly_budget: float | None = Field(
        None, gt=0, description="Warn when a month's credits cost more, or will at their pace."
    )
    storage_price: float | None = Field(None, gt=0, description="Price of a TB for a month.")


class Workers(Model):
    """How `execution: workers` hands tables to the workers of Prefect's pools."""

    per_source: int = Field(
        8, ge=1, description="Tables that all runs together read at once from the source."
    )
    per_warehouse: int = Field(
        8, ge=1, description="Tables that all runs together copy at once to the warehouse."
    )
    start_timeout: Duration = Field(
        timedelta(minutes=30), description="How long a table may wait for a worker."
    )
    run_timeout: Duration = Field(
        timedelta(hours=6), description="How long a worker may take for a table."
    )


class Lineage(Model):
    """Where OpenLineage events go; exactly one of path and url."""

    path: Path | None = Field(None, description="File that takes events, one JSON a line.")
    url: HttpUrl | None = Field(None, description="Server such as Marquez that takes events.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("expected exactly one of path and url")
        if self.url and (self.url.username or self.url.password or self.url.query):
            raise ValueError(
                "expected a url without login and query; the README says how to log in"
            )
        return self


class DeadLetters(Model):
    path: StorePath = Field(description="Folder, or s3:// or gs:// URL, of dead-letter files.")


class Notify(Model):
    block: str = Field(
        pattern=r"^[^/]+/[^/]+$",
        description="A Prefect block as `TYPE/NAME`: `slack-webhook/alerts`,"
        " `email-server-credentials/alerts`.",
    )
    to: list[str] = Field([], description="Email: addresses that are told.")
    sender: str | None = Field(None, description="Email: its sender; the block's user when empty.")


class Config(Model):
    """The whole file."""

    source: Source
    warehouse: Warehouse = Field(Warehouse(), description="Where the copy lives.")
    publish: Literal["per_table", "together"] = Field(
        "per_table", description="Publish each table when ready, or all in one transaction."
    )
    defaults: Defaults = Field(Defaults(), description="What holds for every table.")
    tables: list[Table] = Field(min_length=1, description="The tables to copy.")
    dbt: Dbt = Field(Dbt(), description="What dbt builds after the sync.")
    quality: list[Check] = Field([], description="Thresholds that fail the night.")
    dead_letters: DeadLetters | None = Field(None, description="Dead-letter files.")
    cost: Cost | None = Field(None, description="Snowflake: look up what runs cost.")
    lineage: Lineage | None = Field(None, description="OpenLineage events.")
    notify: Notify | None = Field(None, description="Who is told of a failure.")
    execution: Literal["in_process", "workers"] = Field(
        "in_process", description="Where the tables' subflows run."
    )
    workers: Workers = Field(Workers(), description="Limits of `execution: workers`.")

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.execution == "workers" and self.warehouse.kind == "duckdb":
            raise ValueError(
                "expected execution: in_process, since a DuckDB file belongs to one process"
            )
        if self.execution == "workers" and self.publish == "together":
            raise ValueError(
                "expected execution: in_process beside publish: together, whose one transaction"
                " belongs to one process"
            )
        return self

    @model_validator(mode="after")
    def _distinct_targets(self) -> Self:
        targets = [table.target.casefold() for table in self.tables]
        if doubled := sorted({name for name in targets if targets.count(name) > 1}):
            raise ValueError(f"expected one table for each copy; {', '.join(doubled)} has several")
        return self

    @model_validator(mode="after")
    def _cost_is_snowflakes(self) -> Self:
        if self.cost and self.warehouse.kind == "duckdb":
            raise ValueError("expected no cost beside kind: duckdb, which costs CPU seconds alone")
        return self


def load_config(path: Path) -> Config:
    """Reads, expands and validates a configuration file.

    Raises:
        ConfigError: With file, line, field and what was expected, for the first thing wrong.
    """
    file = YamlFile(path)
    try:
        config = Config.model_validate(file.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = _dotted(first["loc"])
        raise ConfigError(
            f"{path}:{file.line(first['loc'])}: {field + ': ' if field else ''}"
            f"{_expectation(first)}.",
            remedy=f"The README lists every setting; {len(error.errors())} in this file are wrong."
            if len(error.errors()) > 1
            else "The README lists every setting.",
        ) from None
    return config


def _dotted(location: Sequence[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _expectation(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown setting, expected one that the README lists"
    if error["type"] == "missing":
        return "missing, expected a value"
    message = error["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]
