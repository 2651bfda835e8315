"""The command line of `python flows/analyze_source.py`.

Exit codes are those of `tasks/command.py`.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tasks.command import DEMO, names, run
from tasks.config import load_config
from tasks.connect import open_source
from tasks.errors import ConfigError

#: Names SOURCE_URL as its source, and says where the copies go until somebody says otherwise.
TEMPLATE = DEMO.with_name("tables.yaml")


def main(analyze_source: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Analyses a source once and returns the exit code."""
    options = _parse(arguments)
    start = TEMPLATE if os.environ.get("SOURCE_URL") else DEMO
    path = options.config or Path(os.environ.get("DAYBREAK_CONFIG") or start)

    def ready() -> AbstractContextManager[None]:
        config = load_config(path)
        if config.source.demo is None:  # else its server is not started yet
            open_source(config).connect(connect_timeout=3).close()
        if options.output.exists():
            raise ConfigError(
                f"{options.output} is there already.", remedy="Name another file by --output."
            )
        return nullcontext()

    return run(
        ready,
        lambda: analyze_source(str(path), options.schemas, options.whole, str(options.output)),
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python flows/analyze_source.py",
        description="Find out how to copy a database's tables, and write it as a configuration.",
    )
    parser.add_argument(
        "--config", type=Path, help="whose source to analyse (default: SOURCE_URL, or the demo)"
    )
    parser.add_argument("--schemas", type=names, metavar="A,B", help="only these schemas")
    parser.add_argument("--whole", action="store_true", help="read all rows, not a sample")
    parser.add_argument(
        "--output", type=Path, default=Path("analyzed.yaml"), help="file to write (analyzed.yaml)"
    )
    return parser.parse_args(arguments)
