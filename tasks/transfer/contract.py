"""A configured table held against the relation it names, before any row is read."""

from dataclasses import dataclass, replace
from datetime import timedelta

from psycopg import sql

from tasks.errors import ConfigError
from tasks.fields import EVERY
from tasks.source.catalog import Column, Relation
from tasks.table import Table
from tasks.transfer.declared import NAMES, declared_field
from tasks.transfer.evolution import Shape
from tasks.transfer.key_hash import COMPARABLE
from tasks.transfer.masks import Mask
from tasks.transfer.row_rules import RowRule, row_rules
from tasks.transfer.types import (
    INTEGERS,
    Field,
    Kind,
    Limits,
    field_of,
    has_one_text,
    unknown_types,
)
from tasks.transfer.watermark import EXACT

#: Columns of a copy that are not the source's.
ADDED = ("_synced_at", "_run_id", "_deleted_at")
ZONELESS = {Kind.TIMESTAMP, Kind.DATE}
PARTITIONS = {Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE, Kind.TEXT, *INTEGERS}


@dataclass(frozen=True)
class Contract:
    """What to copy of a table, and by which key; the key is empty when there is none."""

    table: Table
    relation: Relation
    fields: list[Field]
    key: list[str]
    rules: list[RowRule]

    @property
    def shape(self) -> Shape:
        """What the copy is made from, for the next night to compare with."""
        table, names = self.table, {field.name for field in self.fields}
        others = [f"{field.name}{field.mask.fingerprint}" for field in self.fields if field.mask]
        others += [f"{field.name} as {field.type}" for field in self.fields if field.is_declared]
        others += ["soft"] if table.deletes == "soft" else []
        others += table.screening
        return Shape(
            relation=self.relation.shape,
            database=self.relation.database,
            oid=self.relation.oid,
            columns=tuple(each for each in self.relation.columns if each.name in names),
            key=tuple(self.key),
            settings=(table.cursor, table.cursor_timezone, table.partition_by, *others),
            excluded=tuple(sorted({*table.columns.exclude, *table.columns.dropped})),
        )

    @property
    def is_upserted(self) -> bool:
        """Whether rows that are read make way by their key alone, and no others of their slice."""
        table = self.table
        return table.deletes == "soft" or (table.mode == "incremental" and not table.append_only)

    @property
    def key_fields(self) -> list[Field]:
        return [field for field in self.fields if field.name in self.key]

    @property
    def columns(self) -> sql.Composed:
        """What a SELECT reads of a row."""
        return sql.SQL(", ").join(field.select for field in self.fields)

    @property
    def cursor(self) -> Field:
        """The field of a cursor, where one is configured."""
        return self.field(self.table.cursor)

    @property
    def cursor_rounding(self) -> timedelta:
        """By how much the type of a cursor rounds at most; `timestamp(0)` has whole seconds."""
        [column] = [each for each in self.relation.columns if each.name == self.table.cursor]
        if column.type not in ("timestamp", "timestamptz") or column.modifier < 0:
            return EXACT
        return timedelta(seconds=0.5 / 10**column.modifier)

    def field(self, name: str | None) -> Field:
        return next(field for field in self.fields if field.name == name)


def make_contract(table: Table, relation: Relation, limits: Limits) -> Contract:
    """Checks every column the configuration names, and settles the key.

    Args:
        limits: What the warehouse's types can't hold.

    Raises:
        ConfigError: Naming what the table lacks or can't do, and what to write instead.
    """
    excluded = {*table.columns.exclude, *table.columns.dropped}
    copied = [column for column in relation.columns if column.name not in excluded]
    names = [column.name for column in copied]
    _check_names(table, names, [column.name for column in relation.columns])
    _check_distinct(table, names)
    key = table.key or list(relation.primary_key)
    fields = [replace(_field(table, column), limits=limits) for column in copied]
    contract = Contract(
        table,
        relation,
        fields,
        key if set(key) <= set(names) - {*table.columns.mask, *table.columns.as_} else [],
        row_rules(table, fields),
    )
    if table.cursor:
        _check_cursor(table, contract.cursor)
        _check_has_key(contract)
    if table.deletes == "soft" or (table.deletes == "hard" and table.cursor):
        _check_deletes(contract)
    if table.partition_by:
        _check_partition(table, contract.field(table.partition_by))
    _check_key(contract)
    return contract


def _field(table: Table, column: Column) -> Field:
    name, columns = column.name, table.columns
    mask = columns.mask.get(name)
    if mask and mask != "drop":
        key = columns.mask_key.get_secret_value() if columns.mask_key else ""
        return Field(name, Kind.TEXT, read_as="text", mask=Mask(mask, key))
    if name in columns.as_:
        if field := declared_field(column, columns.as_[name]):
            return field
        raise ConfigError(
            f"columns.as.{name} is {columns.as_[name]}, which is no type that a copy can have.",
            remedy=f"Choose among {', '.join(NAMES)}, with p <= 38 and s <= min(p, 37).",
            table=table.name,
        )
    if table.schema_change == "freeze" and (unknown := unknown_types(column)):
        raise ConfigError(
            f"{name} is a {column.declared}, and {', '.join(unknown)} is not known here.",
            remedy=f"Write columns: {{as: {{{name}: text}}}} to copy its text, or exclude it.",
            table=table.name,
        )
    return field_of(column)


def _check_names(table: Table, copied: list[str], there: list[str]) -> None:
    if not copied:
        raise ConfigError(
            "It has no column to copy.", remedy="Remove it, or exclude fewer.", table=table.name
        )
    named = {
        "key": table.key,
        "cursor": [table.cursor] if table.cursor else [],
        "partition_by": [table.partition_by] if table.partition_by else [],
        "columns.exclude": table.columns.exclude,
        "columns.mask": list(table.columns.mask),
        "columns.as": list(table.columns.as_),
        "unrepresentable": [name for name in table.unrepresentable if name != EVERY],
        "rules.not_null": table.rules.not_null,
        **{f"rules.{rule}": names for rule, names in table.rules.by_value.items()},
        "breaker.max_null_ratio": list(table.breaker.null_ratios([])),
    }
    for setting, names in named.items():
        known = there if setting in ("columns.exclude", "columns.mask") else copied
        if missing := [name for name in names if name not in known]:
            raise ConfigError(
                f"{setting} names {', '.join(missing)}, which is not a copied column.",
                remedy=f"It has: {', '.join(known)}.",
                table=table.name,
            )


def _check_distinct(table: Table, copied: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in (*ADDED, *copied):
        if (other := seen.setdefault(name.lower(), name)) is not name:
            raise ConfigError(
                f"A copy can't have both {other} and {name} as columns.",
                remedy="Leave one out by columns.exclude, or rename it in the source.",
                table=table.name,
            )


def _check_has_key(contract: Contract) -> None:
    table = contract.table
    if not contract.key and not table.append_only:
        raise ConfigError(
            f"mode {table.mode} with a cursor needs a key, and the table has no primary key that is"
            " copied.",
            remedy="Write key: [column, ...], or append_only: true if its rows never change, or use"
            " mode: full_refresh.",
            table=table.name,
        )


def _check_key(contract: Contract) -> None:
    """Refuses a key that can be rewritten as an equal one, which would leave the old row as well.

    A warehouse finds a row by what it was given, the source by what is equal.
    """
    table = contract.table
    if table.append_only or (table.mode == "full_refresh" and table.deletes != "soft"):
        return
    for column in contract.relation.columns:
        if column.name in contract.key and not has_one_text(column):
            why = "" if column.deterministic else ", by a collation that is not deterministic"
            raise ConfigError(
                f"Its key has {column.name}, a {column.declared}, of which equal values can be"
                f" written otherwise{why}: a row would be doubled.",
                remedy="Choose another key: [column, ...], or mode: full_refresh.",
                table=table.name,
            )


def _check_cursor(table: Table, cursor: Field) -> None:
    integer, zoneless = cursor.kind in INTEGERS, cursor.kind in ZONELESS
    counted = isinstance(table.lag, int) or not table.lag
    wrong = None
    if not (integer or zoneless or cursor.kind is Kind.TIMESTAMPTZ):
        wrong = "has to be a timestamp, date or integer", "Choose another cursor"
    elif zoneless and not table.cursor_timezone:
        wrong = (
            "has no time zone",
            "Write cursor_timezone: the zone whose time the application writes into it",
        )
    elif not zoneless and table.cursor_timezone:
        wrong = "needs no cursor_timezone", "Remove it"
    elif integer and not table.append_only:
        wrong = (
            "does not move when a row changes",
            "Write append_only: true if rows never change, or choose a timestamp",
        )
    elif integer and not (counted and "lag" in table.model_fields_set):
        wrong = (
            "can't be re-read by a duration",
            "Write lag: how many of its values to re-read each night, such as lag: 10000",
        )
    elif not integer and isinstance(table.lag, int):
        wrong = "is re-read by a duration", "Write lag: 10m or the like"
    if wrong:
        raise ConfigError(
            f"The cursor {cursor.name}, a {cursor.kind}, {wrong[0]}.",
            remedy=f"{wrong[1]}, or use mode: full_refresh.",
            table=table.name,
        )


def _check_deletes(contract: Contract) -> None:
    table, wrong = contract.table, None
    odd = [field for field in contract.key_fields if field.kind not in COMPARABLE]
    if not contract.key:
        wrong = (
            "needs a key, and the table has no primary key that is copied",
            "Write key: [column, ...]",
        )
    elif odd:
        wrong = f"can't compare keys by {odd[0].name}, a {odd[0].kind}", "Choose another key"
    if wrong:
        raise ConfigError(
            f"deletes: {table.deletes} {wrong[0]}.",
            remedy=f"{wrong[1]}, or write deletes: ignore.",
            table=table.name,
        )


def _check_partition(table: Table, field: Field) -> None:
    if field.kind not in PARTITIONS:
        raise ConfigError(
            f"{field.name} is a {field.kind}, by which a table can't be partitioned.",
            remedy="Choose a date, timestamp, integer or text for partition_by.",
            table=table.name,
        )
