"""What a night was asked for, and what is known of it so far."""

from dataclasses import dataclass, field

from tasks.attempt import Outcome, Prepared
from tasks.config import Config
from tasks.errors import DaybreakError, SyncFailed
from tasks.table import Table
from tasks.transform import Built
from tasks.warehouse.base import OpenLetters

#: What came of one table; an exception when it failed.
Result = Outcome | Prepared | BaseException


@dataclass
class Night:
    """The order of a night, and its results, filled in step by step.

    `config` is the path that `settings` were read from, and `failures` a message a table. A
    `replay` is of the rows in the dead letters alone.
    """

    run_id: str
    config: str
    settings: Config
    tables: list[Table]
    full_refresh: bool
    partitions: list[str] = field(default_factory=list)
    forced: frozenset[str] = frozenset()
    replay: bool = False
    open_letters: list[OpenLetters] | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    prepared: list[Prepared] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    built: Built | None = None
    verdict: str | None = None
    bill: list[str] = field(default_factory=list)

    def settle(self, results: dict[str, Result]) -> None:
        """Sorts what came of the tables."""
        for name, result in results.items():
            if isinstance(result, Outcome):
                self.outcomes.append(result)
            elif isinstance(result, Prepared):
                self.prepared.append(result)
            elif isinstance(result, DaybreakError):
                self.failures[name] = str(result.about(name))
            else:
                self.failures[name] = f"{name}: {result!r}"

    def check(self) -> None:
        """Ends the night when a table failed.

        Raises:
            SyncFailed: Naming each of them, and what became of the others.
        """
        if not self.failures:
            return
        if self.settings.publish == "together":
            others = "Nothing is published, since publish is together"
        elif len(self.failures) < len(self.tables):
            others = "The other tables are published"
        else:
            others = "No table is published"
        raise SyncFailed(
            f"{len(self.failures)} of {len(self.tables)} tables failed:\n  "
            + "\n  ".join(self.failures.values()),
            remedy=f"\n{others}; dbt did not run.",
        )


def outdated(results: dict[str, Result]) -> list[Prepared]:
    """What was prepared on an older snapshot than the newest, and can't be published with it."""
    prepared = [result for result in results.values() if isinstance(result, Prepared)]
    newest = max((one.attempt.snapshot.taken_at for one in prepared), default=None)
    return [one for one in prepared if one.attempt.snapshot.taken_at != newest]
