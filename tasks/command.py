"""The command line of `python flows/daily.py`: what it accepts, says and exits with.

`run` is what every flow's command does.

Exit codes: 0 the night completed, 1 it failed, 2 it could not start because of its configuration
or connection, 130 it was interrupted.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType

from tasks.config import Config, load_config
from tasks.errors import ConfigError, DaybreakError
from tasks.heartbeat import no_heartbeat
from tasks.interruption import SIGNALS, say_interrupted
from tasks.logs import show_progress
from tasks.plan import check
from tasks.server import serving, temporary_server
from tasks.source import demo
from tasks.source.read import interrupted

DEMO = Path(__file__).parents[1] / "deployments" / "demo.yaml"
FAILED, CAN_NOT_START = 1, 2
# How long what is running may take to end after an interruption.
GRACE_SECONDS = 10


def main(daily: Callable[..., object], arguments: Sequence[str] | None = None) -> int:
    """Runs one night and returns the exit code."""
    options = _parse(arguments)
    path = options.config or Path(os.environ.get("DAYBREAK_CONFIG") or DEMO)

    def night() -> None:
        daily(
            str(path),
            tables=options.tables,
            full_refresh=options.full_refresh,
            partitions=options.partitions,
            force=options.force,
            skip_dbt=options.skip_dbt,
            skip_quality=options.skip_quality,
        )

    return run(lambda: _ready(path, options), night)


def run(ready: Callable[[], AbstractContextManager[None]], flow: Callable[[], object]) -> int:
    """Runs a flow here and now, and returns the exit code.

    Args:
        ready: Says what is wrong before anything is started; the flow runs inside what it returns.
    """
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        around = ready()
        show_progress()
        server = temporary_server()
        with around, serving(server), no_heartbeat():
            return _ended(flow)
    except DaybreakError as error:
        return _say(error, CAN_NOT_START)
    except KeyboardInterrupt:
        return say_interrupted()


def _ready(path: Path, options: argparse.Namespace) -> AbstractContextManager[None]:
    config = load_config(path)
    _check_bad_day(config, options.bad_day)
    check(config, options.tables, options.partitions, options.force)
    return _day(config, options.bad_day)


def _ended(flow: Callable[[], object]) -> int:
    try:
        flow()
    except DaybreakError as error:
        return _say(error, FAILED)
    return 0


def _say(error: DaybreakError, code: int) -> int:
    # Its frames would keep DuckDB's objects past the end of the interpreter, which complains.
    error.__traceback__ = error.__context__ = error.__cause__ = None
    print(f"\nFAILED  {error}", file=sys.stderr)
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python flows/daily.py", description="Run one night, here and now."
    )
    parser.add_argument("--config", type=Path, help="configuration file (default: the demo's)")
    parser.add_argument("--tables", type=names, metavar="A,B", help="copy only these tables")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--full-refresh", action="store_true", help="read whole tables")
    extent.add_argument(
        "--partitions", type=names, default=[], metavar="A,B", help="rewrite only these partitions"
    )
    parser.add_argument(
        "--force",
        type=names,
        default=[],
        metavar="A,B",
        help="publish these tables once, whatever their breakers say",
    )
    parser.add_argument("--skip-dbt", action="store_true", help="leave the models as they are")
    parser.add_argument("--skip-quality", action="store_true", help="don't measure")
    parser.add_argument("--bad-day", action="store_true", help="demo: the shop has a bad day")
    return parser.parse_args(arguments)


def names(text: str) -> list[str]:
    """Names that an option lists; for argparse."""
    listed = [name.strip() for name in text.split(",")]
    if not all(listed):
        raise argparse.ArgumentTypeError("expected names, separated by commas")
    return listed


def _check_bad_day(config: Config, bad_day: bool) -> None:
    if bad_day and config.source.demo is None:
        raise ConfigError(
            "--bad-day is the demo's, and this configuration names another source.",
            remedy="Leave it out, or run it without --config.",
        )


@contextmanager
def _day(config: Config, bad_day: bool) -> Iterator[None]:
    """In the demo, lets a day pass in the shop, with a transaction that outlives the snapshot."""
    if config.source.demo is None:
        yield
        return
    with demo.night(config.source.demo.directory, scale=config.source.demo.scale, bad_day=bad_day):
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    interrupted.set()
    # A table that waits for its retry sleeps for minutes, in a thread that nothing can wake.
    grace = threading.Timer(GRACE_SECONDS, lambda: os._exit(say_interrupted()))
    grace.daemon = True
    grace.start()
    raise KeyboardInterrupt
