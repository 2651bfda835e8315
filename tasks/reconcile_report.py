"""What a person sees of a comparison: on the terminal, and as a Prefect artifact."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from rich.console import Console
from rich.table import Table

from tasks.errors import CopyDiffers
from tasks.night import Night
from tasks.reconcile import Reconciled
from tasks.transfer.row_compare import Difference

NUMBERS = ("rows", "copied", "missing", "extra", "different", "open letters", "seconds")
#: How many differences of a table are shown on the terminal, and in its error.
SHOWN, NAMED = 20, 3


@task(name="report comparison", cache_policy=NO_CACHE, persist_result=False)
def report(found: Sequence[Reconciled]) -> None:
    """Prints what was found, and keeps it as an artifact of the run."""
    create_table_artifact(
        [
            {"table": each.table, **asdict(difference)}
            for each in found
            for difference in each.differences
        ]
        or [{"table": each.table, "what": "equal", "rows": each.rows_source} for each in found],
        key="reconcile",
        description="Where copies differ from their source.",
    )
    print(summary(found))


def summary(found: Sequence[Reconciled]) -> str:
    """The comparison as text, at most 100 columns wide."""
    table = Table("table", box=None, pad_edge=False)
    for name in NUMBERS:
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for each in found:
        counts = each.counts
        changed = sum(counts.values()) - counts["missing"] - counts["extra"]
        rows = (each.rows_source, each.rows_copied, counts["missing"], counts["extra"], changed)
        figures = [f"{figure:,}" for figure in (*rows, each.open_letters)]
        table.add_row(each.table, *figures, f"{each.seconds:.1f}", _outcome(each))
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print()
    console.print(table)
    for each in found:
        for told in _told(each):
            console.print(f"{each.table}: {told}", highlight=False, markup=False, soft_wrap=True)
    return text.getvalue().rstrip()


def judge(night: Night, found: Sequence[Reconciled]) -> None:
    """Fails when a copy differs and was not repaired.

    Raises:
        CopyDiffers: Naming the first differences of each.
        SyncFailed: When tables could not be synced or compared.
    """
    differing = [each for each in found if not each.is_equal]
    if not differing:
        night.check()
        return
    lines = [*night.failures.values()]
    for each in differing:
        shown = "; ".join(_named(one) for one in each.differences[:NAMED])
        lines.append(f"{each.table}: {len(each.differences):,} differ: {shown}")
    names = ",".join(each.table for each in differing)
    raise CopyDiffers(
        "Copies differ from their source:\n  " + "\n  ".join(lines),
        remedy=f"\nRun python flows/reconcile.py --repair --tables {names} to publish these rows.",
    )


def _outcome(found: Reconciled) -> str:
    if found.repaired:
        return "repaired"
    return "equal" if found.is_equal else "differs"


def _told(found: Reconciled) -> Iterator[str]:
    yield from (_named(each) for each in found.differences[:SHOWN])
    if (more := len(found.differences) - SHOWN) > 0:
        yield f"and {more:,} more, of which raw.reconcile_results keeps the first"
    if found.parts_left:
        yield (
            f"{found.parts_left:,} of {found.parts:,} buckets of keys that differ were not looked"
            " at row by row; reconcile it again after a repair, or copy it in full"
        )
    yield from found.remarks


def _named(one: Difference) -> str:
    where = f" in {', '.join(one.columns)}" if one.columns else ""
    return f"{one.what} {one.key or 'without a value'}{where}"
