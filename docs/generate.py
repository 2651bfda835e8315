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

from tasks.config import Config
from tasks.fields import UNITS
from tasks.source.catalog import Column
from tasks.transfer.types import AS_TEXT, NATIVE, field_of
from tasks.warehouse.duckdb_names import sql_type

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "deployments" / "tables.schema.json"
README = ROOT / "README.md"
VARIABLE = r"^\$\{\w+(:-[^}]*)?\}$"
ISO_DURATION = re.compile(r"P(\d+D)?T?(\d+H)?(\d+M)?(\d+S)?")
# How the settings of several are called.
MANY: dict[Any, str] = {list: "[]", dict: ".COLUMN"}
# What NATIVE and AS_TEXT don't name: label, base type, modifier, category.
OTHER_TYPES = [
    ("numeric(p,s), p <= 38, 0 <= s <= min(p,37)", "numeric", (38 << 16) + 9 + 4, "N"),
    ("other numeric", "numeric", -1, "N"),
    ("arrays", "_int4", -1, "A"),
    ("composites", "point3d", -1, "C"),
    ("hstore", "hstore", -1, "U"),
    ("enums", "mood", -1, "E"),
    ("everything else (interval, inet, ranges, money, ...)", "interval", -1, "T"),
]


def schema() -> str:
    """The JSON schema of the configuration file, as editors read it."""
    described = Config.model_json_schema(by_alias=True)
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(_as_written(described), indent=2) + "\n"


def readme(text: str) -> str:
    """The README with its generated parts renewed."""
    text = _replaced(text, "settings", settings_table())
    return _replaced(text, "types", types_table())


def settings_table() -> str:
    """Every setting, nested ones by their full name."""
    rows = [
        (f"`{name}`", _default(field), _meaning(field)) for name, field in _settings(Config, "")
    ]
    return _table(("setting", "default", "meaning"), rows)


def types_table() -> str:
    """Every PostgreSQL type, the kind of its chunk and its DuckDB type."""
    known = [(name, name, -1, "") for name in (*NATIVE, *AS_TEXT)]
    rows = []
    for label, name, modifier, category in known + OTHER_TYPES:
        field = field_of(Column("c", 1, name, name, modifier, category, False, False))
        stored = "DECIMAL(p,s)" if field.precision else sql_type(field).upper()
        how = {"native": "as it is", "text": "as text", "json": "`to_json`"}[field.read_as]
        rows.append((label, how, field.kind.value, stored))
    rows.append(("domains", "as their base type", "", ""))
    return _table(("PostgreSQL", "read", "in flight", "DuckDB"), rows)


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
    """Writes both files."""
    SCHEMA.write_text(schema(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
