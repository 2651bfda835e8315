"""One table into Snowflake by our own transfer, as a process: prints where its seconds go, as JSON.

Usage: python -m tests.bench.parts URL SCHEMA.TABLE, with Snowflake's login in the environment.

Reading, screening, encoding and PUT are summed over the streams, which work at the same time.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import prefect_snowflake  # noqa: F401, imported before the clock starts
import snowflake.connector  # noqa: F401

from tasks.config import Config
from tasks.source import read
from tasks.transfer import extract
from tasks.transfer.files import Stream
from tasks.warehouse.snowflake import SnowflakeWarehouse
from tasks.warehouse.snowflake_staging import Staging
from tests.bench.transfer import transfer

seconds: defaultdict[str, float] = defaultdict(float)


@contextmanager
def counted(part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[part] += time.perf_counter() - started


def timed(owner: Any, name: str, part: str) -> None:
    """Counts the time of every call of a function."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with counted(part):
            return function(*arguments, **options)

    setattr(owner, name, call)


def timed_items(owner: Any, name: str, part: str) -> None:
    """Counts the time until each item of a generator."""
    function: Callable[..., Iterator[Any]] = getattr(owner, name)

    @wraps(function)
    def items(*arguments: Any) -> Iterator[Any]:
        each = function(*arguments)
        while True:
            with counted(part):
                item = next(each, None)
            if item is None:
                return
            yield item

    setattr(owner, name, items)


def main() -> None:
    url, name = sys.argv[1:]
    timed_items(read, "_batches", "read")
    timed(extract, "screen", "screen")
    timed(Stream, "write", "encode")
    timed(Stream, "__exit__", "encode")
    timed(Staging, "upload", "PUT")
    timed(Staging, "load", "COPY")
    timed(SnowflakeWarehouse, "publish", "publish")
    config = {
        "source": {"url": url},
        "warehouse": {"kind": "snowflake"},
        "tables": [{"name": name}],
    }
    with counted("total"):
        transfer(Config.model_validate(config))
    seconds["encode"] -= seconds["PUT"]  # which a stream does when a file is complete
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
