"""The YAML file as typed, frozen models.

Unknown keys are refused, and so is everything that a later version brings but this one does not
do yet: a night must never run with a setting that is silently ignored.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tasks.errors import ConfigError
from tasks.fields import (
    EVERY,
    Accepted,
    Duration,
    Lag,
    Name,
    Names,
    PostgresUrl,
    Ratio,
    RatioOrRatios,
    Ratios,
    Zone,
    clock_shift,
    refuse_boolean,
)
from tasks.yaml_file import YamlFile

#: Tables beside the copies, which none of them may replace.
LEDGER = {"sync_state", "sync_runs", "dead_letters", "quality_results"}


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any, info: ValidationInfo) -> Any:
        wanted = cls.model_fields[str(info.field_name)].annotation
        return value if wanted is bool else refuse_boolean(value)


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


class Columns(Model):
    """Columns left out, masked or declared as another type."""

    exclude: Names = Field([], description="Columns that are not copied.")
    mask: dict[str, Literal["hmac_sha256", "redact", "partial", "drop"]] = Field(
        {}, description="Columns masked before they are staged; drop copies nothing of them."
    )
    mask_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None, description="Secret of hmac_sha256, from the environment: `${MASK_KEY}`."
    )
    as_: dict[str, str] = Field({}, alias="as", description="Columns stored as another type.")

    @model_validator(mode="after")
    def _mask_has_its_key(self) -> Self:
        if "hmac_sha256" in self.mask.values() and self.mask_key is None:
            raise ValueError("expected a mask_key, which hmac_sha256 needs")
        return self

    @property
    def dropped(self) -> list[str]:
        """Columns whose mask leaves nothing."""
        return [name for name, mask in self.mask.items() if mask == "drop"]


class Rules(Model):
    """What a row must meet to be published; others become dead letters."""

    not_null: Names = Field([], description="Columns that must hold a value.")
    accepted: Accepted = Field({}, description="Allowed values of a column (or NULL).")


class Breaker(Model):
    """When a batch is too bad to publish. Ratios are judged from 100 rows up."""

    max_null_ratio: RatioOrRatios = Field(
        {}, description="Largest share of NULLs, of every column or of those named."
    )
    max_dead_letter_ratio: Ratio = Field(0.01, description="Largest share of dead-lettered rows.")
    max_shrink_ratio: Ratio = Field(
        0.5, description="Largest share of rows a full replacement may lose."
    )

    def null_ratios(self, columns: list[str]) -> dict[str, float]:
        """The largest share of NULLs of each judged column; a number means every column."""
        every = self.max_null_ratio.get(EVERY)
        named = {name: ratio for name, ratio in self.max_null_ratio.items() if name != EVERY}
        return named if every is None else {**dict.fromkeys(columns, every), **named}


class Table(Model):
    """One table and how it is copied."""

    name: str = Field(min_length=1, description="Table, or schema.table.")
    mode: Literal["full_refresh", "incremental", "partition_overwrite"] = Field(
        "full_refresh", description="How the copy is brought up to date."
    )
    key: Names = Field([], description="Key columns; the primary key when empty.")
    cursor: Name | None = Field(None, description="Column that moves when a row changes.")
    lag: Lag = Field(
        timedelta(minutes=10),
        description="Re-read before the watermark: a duration, or how many values of an integer.",
    )
    cursor_timezone: Zone | None = Field(None, description="Zone of a cursor without time zone.")
    append_only: bool = Field(False, description="Rows are only ever added; no key needed.")
    partition_by: Name | None = Field(None, description="Column of partition_overwrite.")
    partition_unit: Literal["hour", "day", "month", "year"] = Field(
        "day", description="What a partition of a date or timestamp (in UTC) spans."
    )
    partitions: int = Field(
        2, ge=1, description="How many last partitions to rewrite where there is no cursor."
    )
    deletes: Literal["ignore", "soft", "hard"] = Field(
        "ignore",
        description="What a deleted source row does to its copy: stay, be marked or leave.",
    )
    columns: Columns = Field(Columns(), description="Columns left out, masked or retyped.")
    schema_change: Literal["evolve", "freeze"] = Field(
        "evolve", description="Follow a changed source schema, or stop the table."
    )
    unrepresentable: Literal["dead_letter", "null", "fail"] = Field(
        "dead_letter", description="What happens to values that the target type can't hold."
    )
    rules: Rules = Field(Rules(), description="Row rules.")
    breaker: Breaker = Field(Breaker(), description="Circuit breaker.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for expected in self._contradictions():
            raise ValueError(f"expected {expected}")
        return self

    def _contradictions(self) -> Iterator[str]:
        """What is expected in place of settings that contradict each other or mean nothing."""
        if self.target.lower() in LEDGER:
            yield f"another name; the copies' ledger has a table {self.target.lower()}"
        if self.mode == "incremental" and self.cursor is None:
            yield "a cursor, since mode is incremental"
        if self.mode == "full_refresh" and self.cursor is not None:
            yield "no cursor, since mode is full_refresh"
        if self.mode == "partition_overwrite" and self.partition_by is None:
            yield "partition_by, since mode is partition_overwrite"
        for setting, needed, there in (
            ("append_only", "mode: incremental", self.mode == "incremental"),
            ("partition_by", "mode: partition_overwrite", self.mode == "partition_overwrite"),
            ("partition_unit", "partition_by", self.partition_by),
            ("partitions", "partition_by", self.partition_by),
            ("lag", "a cursor", self.cursor),
            ("cursor_timezone", "a cursor", self.cursor),
        ):
            if setting in self.model_fields_set and not there:
                yield f"no {setting} without {needed}"
        if self.deletes != "ignore" and (self.append_only or self.partition_by):
            yield f"deletes: ignore beside append_only or partition_by, not {self.deletes}"
        if self.cursor and "partitions" in self.model_fields_set:
            yield "no partitions beside a cursor, which finds those that changed"
        changed = {*self.columns.exclude, *self.columns.mask, *self.columns.as_}
        if lost := [
            name for name in (*self.key, self.cursor, self.partition_by) if name in changed
        ]:
            yield f"key, cursor and partition_by as they are; {lost[0]} is not copied so"
        if masked := sorted({*self.rules.accepted} & {*self.columns.mask}):
            yield f"no accepted values of {masked[0]}, which is masked before they are compared"
        if self.cursor_timezone and isinstance(self.lag, timedelta):
            shift = clock_shift(self.cursor_timezone)
            if shift and self.lag < max(shift, timedelta(hours=1)):
                yield (
                    f"a lag of at least {max(shift, timedelta(hours=1))} (h:mm:ss), since the"
                    f" clocks of {self.cursor_timezone} are set back"
                )

    @property
    def target(self) -> str:
        """Name of the copy in the warehouse's raw schema."""
        return self.name.rsplit(".", 1)[-1]


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


class DeadLetters(Model):
    path: str = Field(description="Folder or object-store URL of dead-letter files.")


class Notify(Model):
    block: str = Field(description="Name of a Prefect notification block.")


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
    notify: Notify | None = Field(None, description="Who is told of a failure.")
    execution: Literal["in_process", "workers"] = Field(
        "in_process", description="Where the tables' subflows run."
    )

    @model_validator(mode="after")
    def _distinct_targets(self) -> Self:
        targets = [table.target.casefold() for table in self.tables]
        if doubled := sorted({name for name in targets if targets.count(name) > 1}):
            raise ValueError(f"expected one table for each copy; {', '.join(doubled)} has several")
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
    for location, setting in _not_built(config):
        raise ConfigError(
            f"{path}:{file.line(location)}: {_dotted(location)}: {setting} is known but not built"
            " in this version.",
            remedy="Remove it; a night never runs with a setting that is ignored.",
        )
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


def _not_built(config: Config) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Settings of later versions, each with where it stands."""
    if config.dead_letters:
        yield ("dead_letters",), "a store of dead-letter files"
    if config.notify:
        yield ("notify",), "notification"
    if config.execution == "workers":
        yield ("execution",), "workers"
    for index, table in enumerate(config.tables):
        if table.columns.as_:
            yield ("tables", index, "columns", "as"), "declaring another type"
