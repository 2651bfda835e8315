"""The command line of `python flows/backfill.py`.

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


def main(backfill: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Fills what was asked for and returns the exit code."""
    options = _parse(arguments)
    path = options.config or Path(os.environ.get("DAYBREAK_CONFIG") or DEMO)

    def ready() -> AbstractContextManager[None]:
        check(load_config(path), [options.table], options.partitions)
        return nullcontext()

    def flow() -> None:
        backfill(
            options.table,
            str(path),
            start=options.start,
            end=options.end,
            partitions=options.partitions,
            slices=options.slices,
            dry_run=options.dry_run,
        )

    return run(ready, flow)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python flows/backfill.py",
        description="Copy a part of a table anew, here and now, in slices published one by one.",
    )
    parser.add_argument("--config", type=Path, help="configuration file (default: the demo's)")
    parser.add_argument("--table", required=True, help="the table")
    extent = parser.add_mutually_exclusive_group(required=True)
    extent.add_argument("--from", dest="start", metavar="A", help="first value of its cursor")
    extent.add_argument(
        "--partitions", type=names, default=[], metavar="A,B", help="these partitions"
    )
    extent.add_argument("--whole", action="store_true", help="the whole table")
    parser.add_argument("--to", dest="end", metavar="B", help="where the range ends, with --from")
    parser.add_argument("--slices", type=_count, metavar="N", help="cut it into so many slices")
    parser.add_argument("--dry-run", action="store_true", help="say how much it is, and stop")
    options = parser.parse_args(arguments)
    if (options.start is None) != (options.end is None):
        parser.error("--from and --to go together")
    return options


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number of slices, from 1 up")
    return int(text)
