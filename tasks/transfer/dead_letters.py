"""Dead-letter files: an attempt's letters as one Parquet file in a folder or an object store.

A file is there as a whole or not at all. It is written before the letters are published, so that
none is lost; one whose attempt `sync_runs` does not call published was written in vain.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl

from tasks.errors import PermanentError, TransientError
from tasks.transfer.files import StagingFile

#: How the URL of an object store begins.
STORES = ("s3://", "gs://")
# Answers that are the same however often a store is asked.
REFUSED = (FileNotFoundError, PermissionError)
REFUSAL = re.compile(r"status code: 4\d\d|incorrectly configured region")
# What S3 says, without the rest of its XML.
ANSWER = re.compile(r"<Code>(\w+)</Code>")


@dataclass(frozen=True)
class Origin:
    """What an attempt's letters come from; `seen_at` is the `_synced_at` of its publish."""

    table: str
    run_id: str
    attempt: str
    seen_at: datetime

    @property
    def path(self) -> str:
        """The file's place in the store."""
        file = f"{self.run_id}-{self.attempt}.parquet"
        return f"{quote(self.table, safe=' ')}/{self.seen_at:%Y-%m-%d}/{file}"


def store(root: str, origin: Origin, letters: list[StagingFile]) -> str:
    """Writes the letters, each with its origin, below a folder or a URL; returns where.

    Credentials come from where the store's own tools find them: environment, profile or machine.

    Raises:
        TransientError: When the store can't be reached.
        PermanentError: When it refuses the file.
    """
    told = pl.scan_parquet([file.path for file in letters]).select(
        pl.lit(origin.run_id).alias("run_id"),
        pl.lit(origin.table).alias("table_name"),
        pl.lit(origin.attempt).alias("attempt"),
        pl.lit(origin.seen_at).alias("seen_at"),
        pl.all(),
    )
    target = f"{root.rstrip('/')}/{origin.path}"
    with _store_errors(root, origin.table):
        if root.startswith(STORES):
            told.sink_parquet(target)
        else:
            part = Path(f"{target}.part")
            told.sink_parquet(part, mkdir=True)
            part.replace(target)
    return target


@contextmanager
def _store_errors(root: str, table: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        text = str(error)
        code = ANSWER.search(text)
        said = code[1] if code else text.split("\n", 1)[0].rstrip(".")
        message = f"Its dead letters can't be written to {root}: {said}."
        if root.startswith(STORES) and not (isinstance(error, REFUSED) or REFUSAL.search(text)):
            remedy = "The table stays as it was; a retry may help."
            raise TransientError(message, remedy=remedy, table=table) from None
        remedy = "The table stays as it was. Make it writable, or correct dead_letters.path."
        raise PermanentError(message, remedy=remedy, table=table) from None
