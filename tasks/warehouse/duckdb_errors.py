"""DuckDB's errors in the words of the on-call person."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tasks.errors import ConfigError, PermanentError, TransientError


@contextmanager
def duckdb_errors(path: Path, ignore: type[duckdb.Error] | tuple[()] = ()) -> Iterator[None]:
    """Translates DuckDB's errors, the one place that does.

    Raises:
        TransientError: When another process owns the file, or a transaction lost a race.
        ConfigError: When the file's folder can't be made.
        PermanentError: When the disk is full or can't be written, and for everything else.
    """
    try:
        yield
    except ignore:
        pass
    except OSError as error:
        raise ConfigError(
            f"The warehouse's folder {path.parent} can't be made: {error.strerror}.",
            remedy="Correct warehouse.path, or make that folder writable.",
        ) from None
    except duckdb.Error as error:
        text = str(error)
        first = text.split("\n", 1)[0].rstrip(".!")
        if "Could not set lock on file" in text:
            raise TransientError(
                f"The warehouse {path} is open in another process ({_holder(text)}).",
                remedy="Close that process and run again.",
            ) from None
        if isinstance(error, duckdb.TransactionException):
            raise TransientError(
                f"DuckDB said: {first}.", remedy="Another session wrote the same rows; run again."
            ) from None
        if "No space left" in text or "File too large" in text:
            raise PermanentError(
                f"The disk of the warehouse {path} is full.", remedy="Free space and run again."
            ) from None
        raise PermanentError(
            f"DuckDB said: {first}.", remedy=f"Check the warehouse {path}."
        ) from None


def _holder(text: str) -> str:
    at = text.find("(PID")
    return text[at + 1 : text.find(")", at)] if at >= 0 else "its PID is not known"
