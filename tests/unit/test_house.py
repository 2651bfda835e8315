"""The one-way rule of imports, read from the sources, and the flows as a worker loads them."""

import ast
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).parents[2]
FOLDERS = ["source", "transfer", "warehouse", "quality", "pages"]
FOR_EVERYONE = {
    "tasks.config",
    "tasks.table",
    "tasks.fields",
    "tasks.errors",
    "tasks.locks",
    "tasks.logs",
}
IN_FOLDERS = sorted(path for folder in FOLDERS for path in (ROOT / "tasks" / folder).glob("*.py"))
IN_TASKS = sorted((ROOT / "tasks").rglob("*.py"))
IN_FLOWS = sorted((ROOT / "flows").glob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """Full names of what a file imports anywhere in it, `from a import b` as a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)} imports relatively"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def under(names: set[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(f"{package}.")}


@pytest.mark.parametrize("path", IN_TASKS, ids=shown)
def test_tasks_never_import_flows(path: Path) -> None:
    assert not under(imports(path), "flows")


@pytest.mark.parametrize("path", IN_FOLDERS, ids=shown)
def test_a_folder_never_imports_prefect(path: Path) -> None:
    assert not {name for name in imports(path) if name.startswith("prefect")}


@pytest.mark.parametrize("path", IN_FOLDERS, ids=shown)
def test_a_folder_imports_only_folders_and_what_is_for_everyone(path: Path) -> None:
    allowed = FOR_EVERYONE | {f"tasks.{folder}" for folder in FOLDERS}
    names = under(imports(path), "tasks") - {"tasks"}
    assert {name for name in names if ".".join(name.split(".")[:2]) not in allowed} == set()


@pytest.mark.parametrize("path", IN_FOLDERS, ids=shown)
def test_source_and_warehouse_never_import_each_other(path: Path) -> None:
    other = {"source": "tasks.warehouse", "warehouse": "tasks.source"}.get(path.parent.name)
    assert other is None or not under(imports(path), other)


@pytest.mark.parametrize("path", [*IN_TASKS, *IN_FLOWS], ids=shown)
def test_nothing_imports_the_daily_flow(path: Path) -> None:
    assert not under(imports(path), "flows.daily")


def test_the_house_is_not_empty() -> None:
    assert all((ROOT / "tasks" / folder).is_dir() for folder in FOLDERS)
    assert IN_FLOWS
    assert imports(ROOT / "tasks" / "source" / "partitions.py") >= {"psycopg", "psycopg.sql"}


@pytest.mark.parametrize(
    ("entrypoint", "name"),
    [
        ("daily.py:daily", "daily"),
        ("analyze_source.py:analyze_source", "analyze-source"),
        ("reconcile.py:reconcile", "reconcile"),
        ("backfill.py:backfill", "backfill"),
        ("extract_load.py:extract_load", "extract-load"),
        ("transform.py:transform", "transform"),
        ("quality.py:quality", "quality"),
        ("replay_dead_letters.py:replay_dead_letters", "replay-dead-letters"),
    ],
)
def test_a_worker_loads_the_flow_by_its_entrypoint(
    monkeypatch: pytest.MonkeyPatch, entrypoint: str, name: str
) -> None:
    monkeypatch.chdir(ROOT)
    assert load_flow_from_entrypoint(f"flows/{entrypoint}").name == name
