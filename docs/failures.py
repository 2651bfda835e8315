"""What to do about each kind of failure, beside the remedy that every message ends with."""

from tasks import errors
from tasks.errors import DaybreakError

#: By the error's name, as the state of a run begins with it.
FAILURES = {
    "PermanentError": "Do what its last sentence says; a rerun alone can't help. Then run again.",
    "TransientError": "It was tried again and still failed. See whether the source, the warehouse"
    " or the network is down or overloaded; then run again.",
    "ConfigError": "Correct the named line, variable or block; `make check-warehouse` tries it.",
    "StaleSnapshot": "Keep VACUUM FULL, CLUSTER and TRUNCATE out of the night's hours; run again.",
    "BreakerTripped": "Look at the batch. Mend the source; or, if it is right, run once with"
    " `force`.",
    "SyncFailed": "Each failed table has a line of its own, with its remedy. Run again: the others"
    " are not doubled.",
    "CopyDiffers": "Run the deployment `reconcile` with `repair`; find out who wrote to the copy,"
    " or to the source without moving the cursor.",
    "TransformFailed": "Mend the named model or test, or the rows it names; run again.",
    "DataQualityError": "Find the cause in the source; readers see this data until it is mended.",
    "Interrupted": "Somebody or the machine stopped it. Run again: nothing half-read is published.",
}


def failures() -> list[tuple[str, str, str]]:
    """Every error of tasks/errors.py: its name, what it means, what to do.

    Raises:
        KeyError: When an error has no entry, or an entry no error.
    """
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, DaybreakError) and kind is not DaybreakError
    }
    if unlike := kinds.keys() ^ FAILURES.keys():
        raise KeyError(f"docs/failures.py: {', '.join(sorted(unlike))}")
    return [
        (f"`{name}`", " ".join((kind.__doc__ or "").split()), FAILURES[name])
        for name, kind in kinds.items()
    ]
