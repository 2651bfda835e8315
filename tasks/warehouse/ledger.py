"""The ledger's tables and statements, in SQL that both warehouses read.

`{raw}` is the quoted schema; values are bound as `?`. A dead letter is identified by table, key,
rule and column, so that a nightly full refresh meets the same letter again instead of adding one.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

from tasks.transfer.slices import Slice
from tasks.warehouse.base import OpenLetters, Publication, Query, State
from tasks.warehouse.tables import ADDED, TABLES

#: What runs pick rows for beside the nights, in the column `mode`.
Purpose = Literal["replay", "repair", "backfill"]
PURPOSES = get_args(Purpose)
InSlices = Callable[[list[Slice]], tuple[str, list[Any]]]

STAGED_LETTERS = "row_key varchar, rule varchar, column_name varchar, value varchar, record varchar"

# The guard is the last statement of a publish and must touch one row.
ADVANCE_STATE = """
update {raw}.sync_state
set version = version + 1, watermark = ?, fingerprint = ?, synced_at = ?, run_id = ?
where table_name = ? and version = ?"""

SAME_LETTER = """l.row_key = dead_letters.row_key and l.rule = dead_letters.rule
  and l.column_name = dead_letters.column_name"""

CLOSE_LETTERS = f"""
update {{raw}}.dead_letters set closed_at = ?
where table_name = ? and closed_at is null
  and not exists (select 1 from {{letters}} l where {SAME_LETTER}) and {{replaced}}"""

SEE_LETTERS_AGAIN = f"""
update {{raw}}.dead_letters
set last_seen = ?, last_run_id = ?, value = l.value, record = l.record,
    previous_version_kept = previous_version_kept and ?
from {{letters}} l
where dead_letters.table_name = ? and dead_letters.closed_at is null and {SAME_LETTER}"""

ADD_LETTERS = f"""
insert into {{raw}}.dead_letters
select ?, l.row_key, l.rule, l.column_name, min(l.value), min(l.record), ?, ?, ?, ?, ?, null
from {{letters}} l
where not exists (select 1 from {{raw}}.dead_letters
                  where dead_letters.table_name = ? and dead_letters.closed_at is null
                    and {SAME_LETTER})
group by l.row_key, l.rule, l.column_name"""


class LostRace(Exception):
    """Another run has published the table since its state was read."""


class Ledger:
    """The ledger through one session.

    Args:
        query: Runs a statement with its parameters.
        raw: The quoted schema.
    """

    def __init__(self, query: Query, raw: str) -> None:
        self._query = query
        self._raw = raw

    def create(self, instant: str, ending: str = "") -> None:
        for name, columns in TABLES.items():
            defined = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            made = defined.format(instant=instant)
            self._query(f"create table if not exists {self._raw}.{name} ({made}) {ending}", [])
        for name, added in ADDED.items():
            for column in added:
                kind = TABLES[name][column]
                alter = f"alter table {self._raw}.{name} add column if not exists {column} {kind}"
                self._query(alter, [])

    def state(self, table: str) -> State:
        """The table's row of `sync_state`, which has to be there."""
        [row] = self._query(
            "select version, watermark, fingerprint, synced_at"
            f" from {self._raw}.sync_state where table_name = ?",
            [table],
        )
        return State(*row)

    def usual_rows(self, table: str) -> int | None:
        """Rows read by the newest attempt that read from a lower bound on and was published."""
        rows = self._query(
            f"select rows_read from {self._raw}.sync_runs where table_name = ?"
            " and outcome = 'published' and lower_bound is not null"
            " order by finished_at desc limit 1",
            [table],
        )
        return int(rows[0][0]) if rows else None

    def tables(self) -> set[str]:
        """Names of the tables that were ever planned, and so of all that were published."""
        return {
            name for (name,) in self._query(f"select table_name from {self._raw}.sync_state", [])
        }

    def check_state(self, publication: Publication) -> None:
        """Keeps a run that has lost from altering the table of the one that won.

        Raises:
            LostRace: When another run has published the table since its state was read.
        """
        if self.state(publication.staged.table).version != publication.state.version:
            raise LostRace

    def published(self, run_id: str, table: str) -> dict[str, Any] | None:
        """The row of `sync_runs` with which the run has published the table."""
        return self._attempt(
            "run_id = ? and table_name = ? and outcome = 'published'", run_id, table
        )

    def is_copied_whole(self, table: str) -> bool:
        """Whether the newest publish was a night's own, and not of rows picked beside nights."""
        newest = "table_name = ? and outcome = 'published' order by finished_at desc limit 1"
        row = self._attempt(newest, table)
        return row is not None and row["slice"] is None and row["mode"] not in PURPOSES

    def last_attempt(self, run_id: str, table: str) -> dict[str, Any] | None:
        """The newest row of `sync_runs` about the table in the run."""
        newest = "run_id = ? and table_name = ? order by finished_at desc limit 1"
        return self._attempt(newest, run_id, table)

    def _attempt(self, where: str, *values: str) -> dict[str, Any] | None:
        names = list(TABLES["sync_runs"])
        rows = self._query(
            f"select {', '.join(names)} from {self._raw}.sync_runs where {where}", [*values]
        )
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def has_published(self, attempt: str) -> bool:
        """Whether the attempt's publish is there."""
        found = f"select 1 from {self._raw}.sync_runs where attempt = ? and outcome = 'published'"
        return bool(self._query(found, [attempt]))

    def newest(self, table: str, by: str, most: int) -> list[tuple[Any, ...]]:
        """Rows of one of the ledger's tables, the newest first by one of its instants."""
        names = ", ".join(TABLES[table])
        ordered = f"select {names} from {self._raw}.{table} order by {by} desc limit {most}"
        return self._query(ordered, [])

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Inserts rows that have the same columns."""
        if not rows:
            return
        marks = f"({', '.join('?' for _ in rows[0])})"
        self._query(
            f"insert into {self._raw}.{table} ({', '.join(rows[0])})"
            f" values {', '.join(marks for _ in rows)}",
            [value for row in rows for value in row.values()],
        )

    def open_letters(self) -> list[OpenLetters]:
        """How many dead letters are open, by table and rule."""
        rows = self._query(
            f"select table_name, rule, count(*) from {self._raw}.dead_letters"
            " where closed_at is null group by table_name, rule order by table_name, rule",
            [],
        )
        return [OpenLetters(*row) for row in rows]

    def in_letters(self, table: str, value: str, columns: str) -> list[Any]:
        """Each value of an expression over columns of open letters `l`; None where it is NULL.

        NULLs are asked for apart, since an emulator gives something else for one.
        """
        letters = f"select {columns} from {self._raw}.dead_letters l"
        found = f"({letters} where table_name = ? and closed_at is null) found"
        values = f"select distinct {value} from {found} where {value} is not null"
        without = f"select count(*) from {found} where {value} is null"
        [(nulls,)] = self._query(without, [table])
        each = [each for (each,) in self._query(values, [table])]
        return [*each, None] if nulls else each

    def publish_letters(
        self,
        publication: Publication,
        keys: list[str],
        letters: str,
        same_key: str,
        in_slices: InSlices,
    ) -> None:
        """Closes the letters of what was replaced, and adds the new ones.

        Args:
            keys: The quoted staging tables of rows and of deleted keys; `letters` that of letters.
            same_key: Whether row `s` of `keys` has the key in `dead_letters.row_key`.
            in_slices: Whether the row in `dead_letters.record` is in a slice, with their values.
        """
        names = {"raw": self._raw, "letters": letters}
        staged = publication.staged
        table, run_id, now = staged.table, staged.run_id, staged.synced_at
        for replaced, values in _replaced(publication, keys, letters, same_key, in_slices):
            self._query(CLOSE_LETTERS.format(**names, replaced=replaced), [now, table, *values])
        kept = publication.replaced == []
        self._query(SEE_LETTERS_AGAIN.format(**names), [now, run_id, kept, table])
        self._query(ADD_LETTERS.format(**names), [table, kept, now, run_id, now, run_id, table])

    def close(self, publication: Publication) -> None:
        """Adds the row of `sync_runs` and moves the state on.

        Raises:
            LostRace: When another run has moved it since it was read.
        """
        self.add("sync_runs", [publication.record])
        staged = publication.staged
        [(advanced, *_)] = self._query(
            ADVANCE_STATE.format(raw=self._raw),
            [
                publication.watermark,
                publication.fingerprint,
                staged.synced_at,
                staged.run_id,
                staged.table,
                publication.state.version,
            ],
        )
        if advanced != 1:
            raise LostRace


def _replaced(
    publication: Publication,
    keys: list[str],
    letters: str,
    same_key: str,
    in_slices: InSlices,
) -> Iterator[tuple[str, list[Any]]]:
    """Conditions on the letters of what is replaced, each with its values."""
    if publication.replaced is None or publication.sought:
        yield "true", []
        return
    yield f"exists (select 1 from {letters} l where l.row_key = dead_letters.row_key)", []
    for table in keys if publication.key else []:
        yield f"exists (select 1 from {table} s where {same_key})", []
    if publication.replaced:
        yield in_slices(publication.replaced)
