"""dbt in a process of its own: `python -m tasks.dbt_process`, fed a pickled request on stdin.

A child keeps dbt's imports, its DuckDB connections and its output away from the night. It joins
the parent's Prefect run, so that every dbt node shows there as a task.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle


@dataclass(frozen=True)
class Request:
    """What to build: `context` is Prefect's serialized run context, `arguments` dbt's own."""

    context: dict[str, Any]
    project: Path
    arguments: list[str]


def main() -> None:
    request: Request = cloudpickle.load(sys.stdin.buffer)
    from prefect.context import hydrated_context
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

    settings = PrefectDbtSettings(project_dir=request.project, profiles_dir=request.project)
    with hydrated_context(request.context):
        PrefectDbtRunner(settings=settings, raise_on_failure=False).invoke(request.arguments)


if __name__ == "__main__":
    main()
