"""Every failure the product expects, each with the sentence that resolves it.

`PermanentError` means that a rerun can't help and is never retried; `TransientError` is retried.
"""

from typing import Any


class DaybreakError(Exception):
    """A failure that names the table, what happened and what to do.

    Args:
        message: What happened, one sentence.
        remedy: What to do about it, one sentence.
        table: The table it happened to, where there is one.
    """

    def __init__(self, message: str, *, remedy: str, table: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.table = table

    def __str__(self) -> str:
        where = f"{self.table}: " if self.table else ""
        return f"{where}{self.message} {self.remedy}".strip()

    def about(self, table: str) -> "DaybreakError":
        """The same error, which names the table if it named none."""
        self.table = self.table or table
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message alone when a state is unpickled.
        return _rebuild, (type(self), self.message, self.remedy, self.table)


def _rebuild(
    kind: type[DaybreakError], message: str, remedy: str, table: str | None
) -> DaybreakError:
    return kind(message, remedy=remedy, table=table)


class PermanentError(DaybreakError):
    """A rerun can't help: someone has to change the configuration, the data or a privilege."""


class TransientError(DaybreakError):
    """A rerun may help: a lost connection, a deadlock, a busy warehouse."""


class ConfigError(PermanentError):
    """The configuration names something that is not there or can't be."""


class StaleSnapshot(TransientError):
    """The run's snapshot is lost, or the table's storage changed under it: read on a new one."""


class BreakerTripped(PermanentError):
    """A batch is too bad to publish; what the warehouse held stays as it was."""


class SyncFailed(PermanentError):
    """Some tables were not published, so dbt did not run."""


class CopyDiffers(PermanentError):
    """A copy is not what its source is."""


class TransformFailed(PermanentError):
    """dbt reported failed models or tests."""


class DataQualityError(PermanentError):
    """A published relation breaches a threshold of the configuration."""


class Interrupted(PermanentError):
    """The run was told to stop; nothing half-read is published and nothing tried again."""
