"""How to copy each table of a database, with the reasons: from evidence to settings that work.

What is recommended has been held against the same checks as a night's configuration.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tasks.errors import ConfigError
from tasks.fields import clock_shift
from tasks.source.survey import Server, Surveyed
from tasks.table import Table
from tasks.transfer.contract import make_contract
from tasks.transfer.evidence import ROWS, Cursor, cursors, digits, unfit
from tasks.transfer.types import INTEGERS, Kind, Limits, field_of, has_one_text, unknown_types

#: Up to this many bytes, reading all is quicker than knowing what changed is worth.
SMALL = 100_000_000
#: Bytes read a second: 10M orders of 730 MB in 10.6 s, by two streams on two cores.
BYTES_A_SECOND = 60_000_000
#: Of the source's bytes, what compressed columns take up: an estimate, not a measurement.
STORED = 0.25
#: From here on, a share of ties, NULLs or future values speaks against a cursor.
MANY = 0.5
WRITTEN_LAG = "1h"


@dataclass
class Advice:
    """What to do with one relation: settings as the YAML has them, and why.

    Where it can't be copied, `left_out` says why and settings are None. Seconds, rows and what is
    stored are estimates; rows are None where nothing tells.
    """

    name: str
    columns: str = ""
    key: str = ""
    settings: dict[str, Any] | None = None
    reason: str = ""
    left_out: str = ""
    remarks: list[str] = field(default_factory=list)
    rows: int | None = None
    bytes: int = 0

    @property
    def seconds(self) -> float:
        return self.bytes / BYTES_A_SECOND

    @property
    def stored(self) -> int:
        return int(self.bytes * STORED)


def advise(found: Surveyed, server: Server, limits: Limits, default_schema: str) -> Advice:
    """What to do with one relation."""
    listed = found.listed
    schema = "" if listed.schema == default_schema else f"{listed.schema}."
    advice = Advice(f"{schema}{listed.name}", rows=_rows(found), bytes=found.bytes)
    if found.relation:
        columns = (f"{column.name} {column.declared}" for column in found.relation.columns)
        advice.columns, advice.key = ", ".join(columns), ", ".join(found.relation.primary_key)
    if found.refused or found.relation is None:
        advice.left_out = f"{found.refused} {found.remedy}".strip()
        return advice
    if "." in listed.name:
        advice.left_out = (
            "Its name holds a dot, which ends a schema's name in a configuration: rename it, or"
            " copy it by a view."
        )
        return advice
    if found.unsampled:
        advice.remarks.append(f"no sample: {found.unsampled}")
    elif found.share < 1 and found.sample and not found.sample[ROWS]:
        advice.remarks.append("no sample: few pages hold its rows; --whole reads them")
    if listed.kind == "view":
        advice.left_out = "A view; write its name here to copy its rows in full every night."
        return advice
    advice.remarks += _remarks(found)
    for settings, reason in _choices(found, server):
        chosen = {"name": advice.name, **settings, **_kept_as_text(found, settings)}
        try:
            make_contract(Table.model_validate(chosen), found.relation, limits)
        except (ConfigError, ValidationError) as error:
            why = error.message if isinstance(error, ConfigError) else error.errors()[0]["msg"]
            advice.left_out = why.removeprefix("Value error, ")
            continue
        advice.settings, advice.reason, advice.left_out = chosen, reason, ""
        break
    return advice


def _rows(found: Surveyed) -> int | None:
    """The server's estimate, or the sample's where the server never counted."""
    sampled: int | None = (found.sample or {}).get(ROWS)
    if found.listed.rows or sampled is None or (sampled == 0 and found.share < 1):
        return found.listed.rows or None
    return round(sampled / found.share)


def _choices(found: Surveyed, server: Server) -> Iterator[tuple[dict[str, Any], str]]:
    """Settings with their reason, the best first; the last one needs nothing of the table."""
    if found.bytes > SMALL:
        yield from _by_change(found, server)
        yield from _by_growth(found)
    small = f"small: read whole in about {max(found.bytes / BYTES_A_SECOND, 1):.0f} s"
    whole = "no cursor that is sure to move, so it is read whole"
    yield {"mode": "full_refresh"}, small if found.bytes <= SMALL else whole


def _by_change(found: Surveyed, server: Server) -> Iterator[tuple[dict[str, Any], str]]:
    for cursor in cursors(found):
        if cursor.unfit or cursor.nulls > MANY or not (cursor.maintained or cursor.means_change):
            continue
        yield (
            {"mode": "incremental", **_key(found), **_cursor(cursor, server)},
            f"what changed by {cursor.name}: {', '.join(_for(cursor))}",
        )


def _by_growth(found: Surveyed) -> Iterator[tuple[dict[str, Any], str]]:
    """Of a table that the statistics have only ever seen grow, or that is partitioned by time."""
    relation, listed = found.relation, found.listed
    assert relation is not None
    kinds = {column.name: field_of(column).kind for column in relation.columns}
    if listed.kind == "partitioned table":
        for name in relation.range_columns:
            if kinds[name] in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
                yield (
                    {"mode": "partition_overwrite", "partition_by": name},
                    f"partitioned by {name}: its last two days are rewritten",
                )
    seen_whole = listed.inserted >= listed.rows  # else the statistics are younger than its rows
    if listed.inserted and seen_whole and not listed.changed and len(relation.primary_key) == 1:
        [key] = relation.primary_key
        if kinds[key] in INTEGERS:
            yield (
                {"mode": "incremental", "cursor": key, "append_only": True, "lag": 10_000},
                f"only ever inserted into, as far as statistics reach: what is new by {key}",
            )


def _key(found: Surveyed) -> dict[str, Any]:
    """A key to name where there is no primary key, or it can't be found again."""
    relation = found.relation
    assert relation is not None
    columns = {column.name: column for column in relation.columns}
    for names in (relation.primary_key, *relation.unique_keys):
        if names and all(columns[name].not_null and has_one_text(columns[name]) for name in names):
            return {} if names == relation.primary_key else {"key": list(names)}
    return {}


def _cursor(cursor: Cursor, server: Server) -> dict[str, Any]:
    settings: dict[str, Any] = {"cursor": cursor.name}
    zoneless = cursor.kind is not Kind.TIMESTAMPTZ
    if zoneless:
        settings["cursor_timezone"] = server.zone
    if server.standby or not server.sees_all or (zoneless and clock_shift(server.zone)):
        settings["lag"] = WRITTEN_LAG
    return settings


def _for(cursor: Cursor) -> Iterator[str]:
    if cursor.maintained:
        yield f"the trigger {cursor.maintained} moves it"
    elif cursor.means_change:
        yield "its name"
    if cursor.indexed:
        yield "an index"


def _remarks(found: Surveyed) -> Iterator[str]:
    """What a person should know of the table's columns."""
    relation = found.relation
    assert relation is not None
    for name, count in unfit(found).items():
        yield f"{name}: {count:,} values of the sample don't fit its type, so it is copied as text"
    for column in relation.columns:
        if column.type == "numeric" and field_of(column).kind is Kind.TEXT:
            narrow = digits(found, column)
            hint = f"; columns: {{as: {{{column.name}: {narrow}}}}} would hold them" * bool(narrow)
            yield f"{column.name}: a {column.declared}, whose digits are copied as text{hint}"
        if unknown := unknown_types(column):
            yield f"{column.name}: {', '.join(unknown)} is not known here, and copied as text"
    for cursor in cursors(found):
        against = ", ".join(_against(cursor)) or "nothing"
        yield f"cursor {cursor.name}: for it {', '.join(_for(cursor))}; against it {against}"


def _against(cursor: Cursor) -> Iterator[str]:
    if not cursor.indexed:
        yield "no index, so that every night scans the table"
    if cursor.nulls:
        yield f"{cursor.nulls:.0%} NULL"
    if cursor.ties > MANY:
        yield f"{cursor.ties:.0%} share their value with another row"
    if cursor.future:
        yield f"{cursor.future:,} values in the future"
    if cursor.kind is not Kind.TIMESTAMPTZ:
        yield f"a {cursor.declared} without time zone: check cursor_timezone"
    if not (cursor.maintained or cursor.means_change):
        yield "tells when a row was made" if cursor.stamped else "no sign that it moves"
    elif not cursor.maintained:
        yield "no trigger is sure to move it: see that every write does"


def _kept_as_text(found: Surveyed, settings: dict[str, Any]) -> dict[str, Any]:
    """Declares columns text of which some values would become dead letters otherwise."""
    needed = {settings.get("cursor"), settings.get("partition_by"), *settings.get("key", [])}
    relation = found.relation
    assert relation is not None
    texts = dict.fromkeys(sorted(unfit(found).keys() - needed - {*relation.primary_key}), "text")
    return {"columns": {"as": texts}} if texts else {}


def hold_apart(advices: list[Advice]) -> None:
    """Leaves out what would be copied under a name that another one has."""
    taken: dict[str, str] = {}
    for advice in advices:
        target = advice.name.rsplit(".", 1)[-1].casefold()
        if advice.settings and (other := taken.setdefault(target, advice.name)) != advice.name:
            advice.settings = None
            advice.left_out = (
                f"Its copy would be that of {other}: copy it by a configuration of its own, with"
                " another raw_schema."
            )
