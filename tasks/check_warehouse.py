"""`make check-warehouse CONFIG=...`: tries with harmless statements whether a night could run.

Exit codes: 0 it could, 1 something is missing, 2 the configuration or the login is wrong.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.config import Config, load_config
from tasks.connect import open_warehouse
from tasks.errors import DaybreakError
from tasks.notify import load_block
from tasks.transform import PROJECT
from tasks.warehouse.round_trip import round_trip

COULD_NOT, CAN_NOT_START = 1, 2


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """What was tried and what is wrong with it, which is empty when all is well.

    The round trip needs what is tried before it, so it comes only when nothing is missing.
    """
    refused = False
    if config.warehouse.kind == "snowflake":
        for tried, wrong in _privileges(config):
            refused = refused or bool(wrong)
            yield tried, wrong
    if not refused:
        with open_warehouse(config, step="check") as warehouse:
            warehouse.prepare()
            differences = round_trip(warehouse, config.warehouse.raw_schema)
            yield "publish a row of every type and read it back", "; ".join(differences)
    if config.notify:
        load_block(config.notify)
        yield f"find the block {config.notify.block}", ""


def _privileges(config: Config) -> Iterator[tuple[str, str]]:
    from tasks.warehouse.privileges import probes

    with open_warehouse(config, step="check") as warehouse:
        for probe in probes(warehouse, config.warehouse.raw_schema, dbt_schemas()):
            said = probe.refusal(warehouse)
            yield probe.what, f"{said} {probe.grant}" if said else ""


def dbt_schemas() -> list[str]:
    """The schemas that dbt_project.yml builds in."""
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return sorted(set(_schemas(project)))


def _schemas(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "+schema":
            yield value
        yield from _schemas(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each thing tried."""
    parser = argparse.ArgumentParser(
        prog="make check-warehouse", description="Try whether a night could run."
    )
    parser.add_argument("config", type=Path, help="configuration file")
    code = CAN_NOT_START
    try:
        config = load_config(parser.parse_args(arguments).config)
        open_warehouse(config, step="check").__exit__()
        code = 0
        for tried, wrong in findings(config):
            code = COULD_NOT if wrong else code
            print(f"{'FAILED' if wrong else 'ok':<8} {tried}{f': {wrong}' if wrong else ''}")
    except DaybreakError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return code or COULD_NOT
    return code


if __name__ == "__main__":
    sys.exit(main())
