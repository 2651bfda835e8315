"""What is generated from the code is up to date, and the shipped configurations are valid."""

import json
from pathlib import Path

import pytest
import yaml

from docs import generate
from tasks.config import load_config

DEPLOYMENTS = generate.ROOT / "deployments"
FILES = [DEPLOYMENTS / "demo.yaml", DEPLOYMENTS / "tables.yaml"]


def test_the_schema_is_what_make_docs_writes() -> None:
    assert generate.SCHEMA.read_text(encoding="utf-8") == generate.schema()


def test_the_readme_is_what_make_docs_writes() -> None:
    text = generate.README.read_text(encoding="utf-8")
    assert text == generate.readme(text)


def test_the_ledger_is_described_as_make_docs_writes_it() -> None:
    assert generate.LEDGER.read_text(encoding="utf-8") == generate.ledger()


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="generated: settings"):
        generate.readme("# Daybreak\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_configuration_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_URL", "postgresql://reader@localhost/app")
    assert load_config(path).tables


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_editor_accepts_a_shipped_configuration(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json.loads(generate.schema())).validate(written)


def test_every_setting_is_in_the_table() -> None:
    table = generate.settings_table()
    for name in ("source.schema", "tables[].columns.as", "quality[].max_age.hours"):
        assert f"| `{name}` |" in table
    assert "| `tables[].lag` | `10m` |" in table


def test_the_schema_spells_durations_as_the_file_does() -> None:
    described = json.loads(generate.schema())
    assert described["$defs"]["Table"]["properties"]["lag"]["default"] == "10m"
    assert described["properties"]["defaults"]["default"]["retry_delay"] == "5m"
