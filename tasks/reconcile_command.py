"""The command line of `python flows/reconcile.py`.

Exit codes are those of `tasks/command.py`; 1 also where copies differ and were not repaired.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tasks.command import DEMO, names, run
from tasks.config import load_config
from tasks.plan import check


def main(reconcile: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Compares once and returns the exit code."""
    options = _parse(arguments)
    path = options.config or Path(os.environ.get("DAYBREAK_CONFIG") or DEMO)

    def ready() -> AbstractContextManager[None]:
        check(load_config(path), options.tables)
        return nullcontext()

    return run(ready, lambda: reconcile(str(path), options.tables, options.repair))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python flows/reconcile.py",
        description="Prove that copies equal their source, here and now, or find where not.",
    )
    parser.add_argument("--config", type=Path, help="configuration file (default: the demo's)")
    parser.add_argument("--tables", type=names, metavar="A,B", help="compare only these tables")
    parser.add_argument("--repair", action="store_true", help="publish the rows that differ")
    return parser.parse_args(arguments)
