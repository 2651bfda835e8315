"""Writes what is generated from the code: the configuration's JSON schema and the README's tables.

`make docs` runs it; a test fails when either file is not what it would write.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from docs.failures import failures
from docs.pools import DEFAULTS, POOLS, template
from docs.rules import RULES, unfit
from tasks.config import Config
from tasks.fields import EVERY, UNITS
from tasks.source.catalog import Column
from tasks.transfer.types import BASE, TEXTS, field_of
from tasks.warehouse import duckdb_names, snowflake_names
from tasks.warehouse.tables import COLUMNS

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "deployments" / "tables.schema.json"
README = ROOT / "README.md"
LEDGER = Path(__file__).with_name("ledger.md")
LEDGER_INTRODUCTION = """
Tables in the raw schema that every run writes, beside the copies; on DuckDB and Snowflake alike.
They are for users too: columns are only ever added, and none changes its meaning. The README has
queries. Generated from `tasks/warehouse/tables.py`.
"""
VARIABLE = r"^\$\{\w+(:-[^}]*)?\}$"
ISO_DURATION = re.compile(r"P(\d+D)?T?(\d+H)?(\d+M)?(\d+S)?")
# How the settings of several are called.
MANY: dict[Any, str] = {list: "[]", dict: ".COLUMN"}
JSON_PART = Column("element", 1, "json", "json", -1, "U", False, False)
# Types that BASE and TEXTS don't name: label, base type, modifier, category, parts.
MADE: list[tuple[str, str, int, str, tuple[Column, ...]]] = [
    ("numeric(p,s), p <= 38, 0 <= s <= min(p,37)", "numeric", (38 << 16) + 9 + 4, "N", ()),
    ("other numeric", "numeric", -1, "N", ()),
    ("arrays, composites", "c", -1, "C", ()),
    ("those that hold json", "c", -1, "C", (JSON_PART,)),
    ("enums", "e", -1, "E", ()),
    ("ranges, multiranges", "r", -1, "R", ()),
]
HOW = {"native": "as it is", "text": "as text", "json": "`to_json`"}


def schema() -> str:
    """The JSON schema of the configuration file, as editors read it."""
    described = Config.model_json_schema(by_alias=True)
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(_as_written(described), indent=2) + "\n"


def readme(text: str) -> str:
    """The README with its generated parts renewed."""
    text = _replaced(text, "settings", settings_table())
    text = _replaced(text, "types", types_table())
    told = _table(("failure", "what it means", "what to do"), failures())
    text = _replaced(text, "failures", told)
    text = _replaced(text, "rules", rules_table())
    return _replaced(text, "unfit", _table(("value", "DuckDB", "Snowflake"), unfit()))


def settings_table() -> str:
    """Every setting, nested ones by their full name."""
    rows = [
        (f"`{name}`", _default(field), _meaning(field)) for name, field in _settings(Config, "")
    ]
    return _table(("setting", "default", "meaning"), rows)


def types_table() -> str:
    """Every PostgreSQL type, how it is read, the kind of its chunk and its types when stored."""
    named = [(_label((name,)), name, -1, "", ()) for name in BASE]
    texts = [(_label(names), names[0], -1, "", ()) for names in TEXTS.values()]
    rows = []
    for label, name, modifier, category, parts in [*named, *MADE, *texts]:
        column = Column("c", 1, name, name, modifier, category, False, False, True, parts)
        field = field_of(column)
        stored = [
            names.sql_type(field).upper().replace("(38, 9)", "(p,s)")
            for names in (snowflake_names, duckdb_names)
        ]
        rows.append((label, HOW[field.read_as], field.kind.value, *stored))
    rows.append(("domains", "as their base type", "", "", ""))
    rows.append(("any other, told in the summary", "as text", "text", *stored))
    return _table(("PostgreSQL", "read", "in flight", "Snowflake", "DuckDB"), rows)


def rules_table() -> str:
    """How values are spelled in a copy."""
    rows = [(rule.of, f"`{rule.value}`", f"`{rule.copy}`", rule.says) for rule in RULES]
    return _table(("PostgreSQL", "for example", "in DuckDB", "a copy holds"), rows)


def _label(names: tuple[str, ...]) -> str:
    return ", ".join(name.rpartition(".")[2] for name in names)


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        nested = next((part for part in _parts(field.annotation) if _is_model(part)), None)
        yield path, field
        if nested:
            many = MANY.get(get_origin(field.annotation), "")
            yield from _settings(nested, f"{path}{many}.")


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        if get_origin(annotation) is not Literal:
            yield from _parts(part)


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if default is None or isinstance(default, BaseModel | SecretStr):
        return ""
    if isinstance(default, dict) and default.keys() == {EVERY}:
        return f"`{default[EVERY]}`"
    if isinstance(default, timedelta):
        return f"`{_duration(default)}`"
    if isinstance(default, bool | list | dict):
        return f"`{json.dumps(default)}`"
    return f"`{default}`"


def _meaning(field: FieldInfo) -> str:
    meaning = field.description or (_is_model(field.annotation) and field.annotation.__doc__) or ""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    listed = " One of " + ", ".join(f"`{choice}`" for choice in choices) + "." if choices else ""
    return f"{meaning}{listed}"


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    unit = next(unit for unit in reversed(UNITS) if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}" if seconds else "0"


def _as_written(node: Any, default: bool = False) -> Any:
    """Durations as the file spells them, and `${VARIABLE}` wherever a number may stand."""
    if isinstance(node, list):
        return [_as_written(item, default) for item in node]
    if isinstance(node, str) and default and (match := ISO_DURATION.fullmatch(node)):
        days, hours, minutes, seconds = (int((part or "0d")[:-1]) for part in match.groups())
        return _duration(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
    if not isinstance(node, dict):
        return node
    written = {key: _as_written(value, default or key == "default") for key, value in node.items()}
    if not default and written.get("type") in ("number", "integer"):
        written |= {"type": [written["type"], "string"], "pattern": VARIABLE}
    return written


def ledger() -> str:
    """docs/ledger.md: every column of the ledger's tables."""
    parts = ["# The ledger\n", LEDGER_INTRODUCTION]
    for table, columns in COLUMNS.items():
        rows = [
            (f"`{name}`", kind.replace("{instant}", "timestamptz"), meaning)
            for name, (kind, meaning) in columns.items()
        ]
        parts.append(f"\n## {table}\n\n{_table(('column', 'type', 'meaning'), rows)}\n")
    return "".join(parts)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _replaced(text: str, part: str, table: str) -> str:
    start, end = f"<!-- generated: {part} -->", "<!-- end -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"README.md has no part between {start} and {end}")
    return f"{before}{start}\n{table}\n{end}{after}"


def main() -> None:
    """Writes them all."""
    SCHEMA.write_text(schema(), encoding="utf-8")
    POOLS.mkdir(exist_ok=True)
    for kind in DEFAULTS:
        (POOLS / f"{kind}.json").write_text(template(kind), encoding="utf-8")
    LEDGER.write_text(ledger(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
