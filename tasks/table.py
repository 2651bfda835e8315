"""One table of the YAML file: how it is copied, screened and judged.

Settings that contradict each other or mean nothing are refused here, before anything is read.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tasks.fields import (
    EVERY,
    Accepted,
    Bound,
    Count,
    Growth,
    Lag,
    Name,
    Names,
    Policy,
    PolicyOrPolicies,
    Ratio,
    RatioOrRatios,
    Zone,
    clock_shift,
    refuse_boolean,
)

#: Tables beside the copies, which none of them may replace.
LEDGER = {
    *("sync_state", "sync_runs", "sync_costs"),
    *("dead_letters", "quality_results", "dbt_results", "reconcile_results"),
}


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any, info: ValidationInfo) -> Any:
        wanted = cls.model_fields[str(info.field_name)].annotation
        return value if wanted is bool else refuse_boolean(value)


class Columns(Model):
    """Columns left out, masked or declared as another type."""

    exclude: Names = Field([], description="Columns that are not copied.")
    mask: dict[str, Literal["hmac_sha256", "redact", "partial", "drop"]] = Field(
        {}, description="Columns masked before they are staged; drop copies nothing of them."
    )
    mask_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None, description="Secret of hmac_sha256, from the environment: `${MASK_KEY}`."
    )
    as_: dict[Name, Name] = Field({}, alias="as", description="Columns stored as another type.")

    @model_validator(mode="after")
    def _mask_has_its_key(self) -> Self:
        if "hmac_sha256" in self.mask.values() and self.mask_key is None:
            raise ValueError("expected a mask_key, which hmac_sha256 needs")
        return self

    @model_validator(mode="after")
    def _masked_is_text(self) -> Self:
        if masked := sorted({*self.as_} & {*self.mask}):
            raise ValueError(f"expected no other type for {masked[0]}, which is text once masked")
        return self

    @property
    def dropped(self) -> list[str]:
        """Columns whose mask leaves nothing."""
        return [name for name, mask in self.mask.items() if mask == "drop"]

    @property
    def shown_masked(self) -> list[str]:
        """Columns whose mask leaves something."""
        return [name for name, mask in self.mask.items() if mask != "drop"]


class Between(Model):
    """Ends, both of them inside; one may be left open."""

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("expected min, max or both")
        return self


class Range(Between):
    """Smallest and largest value of a column."""

    min: Bound | None = Field(None, description="Smallest value, of the column's type.")
    max: Bound | None = Field(None, description="Largest value.")


class Lengths(Between):
    """Shortest and longest text of a column."""

    min: Count | None = Field(None, description="Fewest characters.")
    max: Count | None = Field(None, description="Most characters.")


class Rules(Model):
    """What a row must meet to be published; others become dead letters.

    Only not_null refuses a NULL.
    """

    not_null: Names = Field([], description="Columns that must hold a value.")
    accepted: Accepted = Field({}, description="Allowed values of a column.")
    range: dict[Name, Range] = Field({}, description="Smallest and largest value of a column.")
    regex: dict[Name, Name] = Field({}, description="Pattern that a text has to contain.")
    length: dict[Name, Lengths] = Field({}, description="Fewest and most characters of a text.")
    expression: dict[Name, Name] = Field(
        {}, description="Conditions in SQL over one row, each under a name of its own."
    )

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        if taken := sorted({*self.expression} & {"unrepresentable", *Rules.model_fields}):
            raise ValueError(f"expected another name than {taken[0]}, which is a rule's")
        return self

    @property
    def by_value(self) -> dict[str, list[str]]:
        """The columns whose values each rule judges, those of expressions apart."""
        rules = {name: getattr(self, name) for name in ("accepted", "range", "regex", "length")}
        return {name: list(columns) for name, columns in rules.items()}


class Breaker(Model):
    """When a batch is too bad to publish. Ratios of its rows are judged from 100 rows up."""

    max_null_ratio: RatioOrRatios = Field(
        {}, description="Largest share of NULLs, of every column or of those named."
    )
    max_dead_letter_ratio: Ratio = Field(0.01, description="Largest share of dead-lettered rows.")
    max_shrink_ratio: Ratio = Field(
        0.5, description="Largest share of rows a full replacement may lose."
    )
    max_growth_ratio: Growth | None = Field(
        None, description="Largest share of its rows that the copy may gain."
    )
    min_rows: Count | None = Field(None, description="Fewest rows of a batch.")

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
    unrepresentable: PolicyOrPolicies = Field(
        {EVERY: "dead_letter"},
        description="What happens to values that the target type can't hold, in every column or in"
        ' those named: `dead_letter`, `"null"` or `fail`.',
    )
    deployment: Name = Field(
        "extract-load",
        description="With `execution: workers`, the deployment of the flow extract-load that copies"
        " it; one on another work pool for a table that needs a larger machine.",
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
        judged = [(rule, name) for rule, names in self.rules.by_value.items() for name in names]
        if masked := [f"{rule} of {name}" for rule, name in judged if name in self.columns.mask]:
            yield f"no rules.{masked[0]}, which is masked before it is judged"
        if self.cursor_timezone and isinstance(self.lag, timedelta):
            shift = clock_shift(self.cursor_timezone)
            if shift and self.lag < max(shift, timedelta(hours=1)):
                yield (
                    f"a lag of at least {max(shift, timedelta(hours=1))} (h:mm:ss), since the"
                    f" clocks of {self.cursor_timezone} are set back"
                )

    def policy(self, column: str) -> Policy:
        """What happens to values that a column can't hold."""
        every = self.unrepresentable.get(EVERY, "dead_letter")
        return self.unrepresentable.get(column, every)

    @property
    def target(self) -> str:
        """Name of the copy in the warehouse's raw schema."""
        return self.name.rsplit(".", 1)[-1]

    @property
    def screening(self) -> list[str]:
        """What decides which rows are held back, spelled out where it is not the default."""
        changed = self.model_dump_json(include={"rules", "unrepresentable"}, exclude_defaults=True)
        return [] if changed == "{}" else [changed]
