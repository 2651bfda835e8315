"""What became of a table's columns since its copy was published, and how the copy follows.

Decided from the two shapes alone; a warehouse applies it (tasks/warehouse/columns.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import PermanentError
from tasks.source.catalog import Column
from tasks.table import Table
from tasks.transfer.types import field_of, unknown_types

# Every value of the first is one of the second, and is spelled alike.
WIDER = {
    ("int2", "int4"),
    ("int2", "int8"),
    ("int4", "int8"),
    ("float4", "float8"),
    ("varchar", "text"),
    ("text", "varchar"),
}
# Types whose modifier rises with what they hold; -1 is without limit.
LIMITED = {"varchar", "bpchar", "varbit", "timestamp", "timestamptz", "time", "timetz"}
READ_IN_FULL = "so it is read in full"


class Shape(BaseModel):
    """What a copy is made from; `sync_state` keeps it as JSON for the next night to compare.

    `relation` stands for all that the source says of the table, `columns` are those that are copied
    and `kept` those that the copy has and the source has no more. `settings` is what else decides
    which rows and columns the copy holds.
    """

    model_config = ConfigDict(frozen=True)
    relation: str
    database: str
    oid: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    settings: tuple[str | None, ...] = ()
    excluded: tuple[str, ...] = ()
    kept: tuple[Column, ...] = ()

    @classmethod
    def parse(cls, fingerprint: str) -> Self | None:
        """The shape in a fingerprint; None when an older version wrote it."""
        try:
            return cls.model_validate_json(fingerprint)
        except ValidationError:
            return None

    def keeping(self, kept: tuple[Column, ...]) -> str:
        """The fingerprint of a copy that has these columns as well."""
        return self.model_copy(update={"kept": kept}).model_dump_json()


@dataclass(frozen=True)
class Evolution:
    """How the copy's columns follow the source's.

    `renamed` maps old names to new ones; `added` and `widened` are names. `kept` columns stay in
    the copy, NULL from now on. When `whole`, all rows have to be read. Values of `hidden` columns,
    which rows that the source has no more hold unmasked, nobody may see. `changes` tell a person.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    widened: frozenset[str] = frozenset()
    kept: tuple[Column, ...] = ()
    whole: bool = False
    hidden: frozenset[str] = frozenset()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Match:
    """The columns of two shapes, each with what it is now; `moved` says why not by number."""

    stayed: list[tuple[Column, Column]]
    added: list[Column]
    gone: list[Column]
    moved: str | None

    @property
    def renamed(self) -> dict[str, str]:
        return {was.name: now.name for was, now in self.stayed if was.name != now.name}


def evolve(
    fingerprint: str | None, new: Shape, table: Table, full_refresh: bool = False
) -> Evolution:
    """How a table's copy follows from the shape in its fingerprint to a new one.

    Args:
        fingerprint: None when there is no copy.
        full_refresh: All rows are replaced on request, so that types and key may change.

    Raises:
        PermanentError: When schema_change is freeze, or the rows that the copy holds are not what
            it would hold if it were made now. Names each change.
    """
    if fingerprint is None:
        return Evolution(whole=True, changes=(*_unknown(new.columns, table),))
    old = Shape.parse(fingerprint)
    if old is None:
        return Evolution(
            whole=True,
            hidden=frozenset(table.columns.shown_masked if table.deletes == "soft" else ()),
            changes=(f"its last shape is unknown, {READ_IN_FULL}",),
        )
    match = _match(old, new)
    redefined = [now.declared for was, now in match.stayed if _is_redefined(was, now)]
    hidden = [*_hidden(match, old, new)] if table.deletes == "soft" else []
    changes = [*_changes(match, old, new, redefined), *_unknown(match.added, table)]
    changes += [f"column {name} is NULL in deleted rows, to hide its old values" for name in hidden]
    if table.schema_change == "freeze" and (old.relation != new.relation or redefined):
        raise _frozen(table, changes)
    refused = [*_refused(match, old, new, table)]
    if refused and not full_refresh:
        raise _lossy(table, refused)
    return Evolution(
        renamed=match.renamed,
        added=frozenset(column.name for column in match.added),
        widened=frozenset(now.name for was, now in match.stayed if _is_wider(was, now)),
        kept=(*(() if match.moved else old.kept), *match.gone),
        whole=bool(
            match.moved
            or redefined
            or _is_retold(old, new)
            or any(_is_filled(column) for column in match.added)
        ),
        hidden=frozenset(hidden),
        changes=tuple(changes),
    )


def _match(old: Shape, new: Shape) -> _Match:
    moved = _moved(old, new)
    identify = attrgetter("name" if moved else "number")
    # The number of a kept column may be that of another column by now.
    known = (*old.kept, *old.columns) if moved else old.columns
    was = {identify(column): column for column in known}
    now = {identify(column): column for column in new.columns}
    return _Match(
        stayed=[(was[each], now[each]) for each in was if each in now],
        added=[column for each, column in now.items() if each not in was],
        gone=[column for each, column in was.items() if each not in now],
        moved=moved,
    )


def _moved(old: Shape, new: Shape) -> str | None:
    """Why columns can't be told by their numbers."""
    if old.database != new.database:
        return (
            "its copy was of another database (this one is restored, or two configurations share"
            " one warehouse.raw_schema: give each its own)"
        )
    if old.oid != new.oid:
        return "the source has another table under its name (recreated or restored)"
    names = {column.number: column.name for column in old.columns}
    for column in new.columns:
        if names.get(column.number) == column.name:
            continue
        others = [*old.kept, *(each for each in old.columns if each.number != column.number)]
        # Warehouses may take names for one that differ by case alone.
        if column.name.casefold() in {each.name.casefold() for each in others}:
            return f"the name {column.name} is in use again"
    return None


def _hidden(match: _Match, old: Shape, new: Shape) -> Iterator[str]:
    """Columns that were copied and are masked otherwise now, or left out."""
    for _, now in match.stayed:
        masks = {each for each in new.settings if each and each.startswith(f"{now.name}=")}
        if not masks <= {*old.settings}:
            yield now.name
    for column in match.gone:
        if column in old.columns and column.name in new.excluded:
            yield column.name


def _is_filled(column: Column) -> bool:
    """Whether rows that were copied before may hold a value in a new column."""
    return column.filled or column.not_null


def _is_retold(old: Shape, new: Shape) -> bool:
    """Whether watermark, dead letters or rows of before are in other terms than those of now."""
    return (old.key, old.settings, old.excluded) != (new.key, new.settings, new.excluded)


def _unknown(columns: Iterable[Column], table: Table) -> Iterator[str]:
    for column in columns:
        if column.name in table.columns.as_ or column.name in table.columns.mask:
            continue
        if unknown := unknown_types(column):
            yield f"column {column.name} is copied as text, since {', '.join(unknown)} is not known"


def _changes(match: _Match, old: Shape, new: Shape, redefined: list[str]) -> Iterator[str]:
    if match.moved:
        yield f"{match.moved}, {READ_IN_FULL} and its columns are matched by name"
    for was, now in match.stayed:
        if was.name != now.name:
            yield f"column {was.name} is called {now.name} now"
        if _type(was) != _type(now):
            yield _retyped(was, now)
    for name in dict.fromkeys(redefined):
        yield f"type {name} has other labels or attributes now, {READ_IN_FULL}"
    for column in match.gone:
        if column in old.columns:
            how = "is excluded" if column.name in new.excluded else "was dropped"
            yield f"column {column.name} {how}; it stays in the copy, NULL in rows read from now on"
    for column in match.added:
        filled = f", and older rows may hold a value in it, {READ_IN_FULL}"
        yield f"column {column.name} is new{filled if _is_filled(column) else ''}"
    if _is_retold(old, new) and not match.moved:
        yield f"its key, cursor, partitions, deletes, rules or columns changed, {READ_IN_FULL}"


def _refused(match: _Match, old: Shape, new: Shape, table: Table) -> Iterator[str]:
    for was, now in match.stayed:
        if _type(was) != _type(now) and not _is_wider(was, now):
            yield _retyped(was, now)
    # A key that is configured was chosen anew; the source has changed any other.
    if (
        not table.key
        and old.key
        and {match.renamed.get(name, name) for name in old.key} != {*new.key}
    ):
        yield f"its key was ({', '.join(old.key)}) and is ({', '.join(new.key)}) now"


def _frozen(table: Table, changes: list[str]) -> PermanentError:
    told = "; ".join(changes) or "a column that is not copied, or its domain"
    return PermanentError(
        f"Its source changed, and schema_change is freeze: {told}.",
        remedy="Undo that, or set schema_change: evolve for a run.",
        table=table.name,
    )


def _lossy(table: Table, refused: list[str]) -> PermanentError:
    return PermanentError(
        f"Its copy can't follow this change without loss: {'; '.join(refused)}.",
        remedy="Undo that, or copy the table anew: run once with --full-refresh"
        f" --tables {table.name}.",
        table=table.name,
    )


def _retyped(was: Column, now: Column) -> str:
    return f"column {now.name} was {was.declared} and is {now.declared} now"


def _type(column: Column) -> tuple[str, int]:
    return column.type, column.modifier


def _is_wider(was: Column, now: Column) -> bool:
    """Whether a type was replaced by one that holds all of its values, spelled alike."""
    if was.type != now.type:
        return (was.type, now.type) in WIDER and now.modifier == -1
    if now.type in LIMITED:
        return -1 != was.modifier != now.modifier and (
            now.modifier == -1 or now.modifier > was.modifier
        )
    before, after = field_of(was), field_of(now)
    is_alike = before.kind is after.kind and before.scale == after.scale
    return is_alike and before.precision < after.precision


def _is_redefined(was: Column, now: Column) -> bool:
    """Whether what a type of one name is made of is no longer all there; more of it may be."""
    return _type(was) == _type(now) and not {*_parts(was)} <= {*_parts(now)}


def _parts(column: Column, path: tuple[int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for part in column.parts:
        here = (*path, part.number)
        yield here, part.name, *_type(part)
        yield from _parts(part, here)
