"""dbt in a process of its own: `python -m tasks.dbt_process`, fed a pickled request on stdin.

A child keeps dbt's imports, its DuckDB connections and its output away from the night. It joins
the parent's Prefect run, so that every dbt node shows there as a task.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from tasks.child import end_with_parent


@dataclass(frozen=True)
class Request:
    """What to build: `context` is Prefect's serialized run context, `arguments` dbt's own."""

    context: dict[str, Any]
    project: Path
    arguments: list[str]

    def without_result_store(self) -> dict[str, Any]:
        """The context, less the result storage that no node uses.

        Loading its block would import every installed Prefect collection: 4 s.
        """
        return {
            name: {**part, "result_store": {}} if part and "result_store" in part else part
            for name, part in self.context.items()
        }


def main() -> None:
    """Builds what stdin asks for; the verdict is in dbt's run_results.json."""
    request: Request = cloudpickle.load(sys.stdin.buffer)
    end_with_parent()  # else it would keep the warehouse from the next run
    from prefect.context import hydrated_context
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

    class Runner(PrefectDbtRunner):  # type: ignore[misc]
        def _create_unified_callback(self, *arguments: Any, **options: Any) -> Any:
            # Else the thread of each of dbt's nodes reads Prefect's settings files anew: 6 s.
            *before, context = arguments
            lean = {**context, "settings_context": {}}
            return super()._create_unified_callback(*before, lean, **options)

    settings = PrefectDbtSettings(project_dir=request.project, profiles_dir=request.project)
    with hydrated_context(request.without_result_store()):
        Runner(settings=settings, raise_on_failure=False).invoke(request.arguments)


if __name__ == "__main__":
    main()
