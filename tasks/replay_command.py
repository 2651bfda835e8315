"""The command line of `python flows/replay_dead_letters.py`.

Exit codes are those of `tasks/command.py`.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tasks.command import DEMO, names, run
from tasks.config import load_config
from tasks.plan import check


def main(replay: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Tries the dead letters once and returns the exit code."""
    options = _parse(arguments)
    path = options.config or Path(os.environ.get("DAYBREAK_CONFIG") or DEMO)

    def ready() -> AbstractContextManager[None]:
        check(load_config(path), options.tables)
        return nullcontext()

    return run(ready, lambda: replay(str(path), options.tables))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python flows/replay_dead_letters.py",
        description="Try the rows of open dead letters again, here and now.",
    )
    parser.add_argument("--config", type=Path, help="configuration file (default: the demo's)")
    parser.add_argument("--tables", type=names, metavar="A,B", help="only those of these tables")
    return parser.parse_args(arguments)
