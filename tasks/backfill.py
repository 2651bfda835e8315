"""What a backfill is to do, and has done: planned once, and resumed from the ledger alone."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import Connection, sql

from tasks.attempt import Attempt, ledger_row, new_id
from tasks.config import Config
from tasks.connect import limits, open_source, open_warehouse
from tasks.errors import PermanentError
from tasks.plan import Plan, relations
from tasks.source.connection import source_errors
from tasks.table import Table
from tasks.transfer.backfill import Asked, Cuts, Piece, check_asked, cuts, pieces, sliced_by
from tasks.transfer.contract import Contract, make_contract
from tasks.transfer.slices import LIMITS, Value, within
from tasks.warehouse.base import Warehouse

#: How many rows a slice has about, where their number was not given.
SLICE_ROWS = 1_000_000


@dataclass(frozen=True)
class Backfill:
    """The slices of a backfill that are still to be published, of `slices` in all.

    `rows` are the source's estimates of those that are left, by slice; `rate` is how many rows a
    second the table's largest publish had, None when there was none.
    """

    id: str
    table: Table
    asked: Asked
    cuts: Cuts
    slices: int
    left: list[Piece]
    rows: list[int]
    rate: float | None

    @property
    def is_begun(self) -> bool:
        return len(self.left) < self.slices

    def told(self) -> Iterator[str]:
        """What there is to do, for a person."""
        rows = sum(self.rows)
        done = f", {self.slices - len(self.left)} of which are done" if self.is_begun else ""
        yield f"{self.table.name}: {self.asked}, in {self.slices} slices{done}"
        for piece, count in zip(self.left, self.rows, strict=True):
            yield f"  {piece.name}: about {count:,} rows"
        if self.rate:
            pace = f"the {self.rate:,.0f} rows/s of its largest publish"
            yield f"  in all about {rows:,} rows, about {rows / self.rate:,.0f} s at {pace}"
        else:
            yield f"  in all about {rows:,} rows; how fast it is copied is not known yet"


def plan_backfill(config: Config, table: Table, asked: Asked, slices: int | None) -> Backfill:
    """The slices of a new backfill, or of one that was asked for alike and has not ended.

    Raises:
        ConfigError: When what was asked for names no rows of the table.
    """
    with open_source(config).connect() as session, source_errors(table.name):
        contract = make_contract(
            table, relations(config, [table], session)[table.name], limits(config)
        )
        check_asked(contract, asked)
        with open_warehouse(config, step="plan") as warehouse:
            raw = warehouse.quote(config.warehouse.raw_schema)
            found = _unfinished(warehouse, raw, contract, asked)
            rate = _rate(warehouse, raw, table)
        if found is None:
            number = slices or _number(session, contract, asked)
            cut = cuts(contract, asked, _ends(session, contract, asked), number)
            found = str(uuid.uuid4()), cut, set[str]()
        identity, cut, done = found
        every = pieces(contract, asked, cut)
        left = [each for each in every if each.name not in done]
        rows = [_estimate(session, contract, each.at_source) for each in left]
    return Backfill(identity, table, asked, cut, len(every), left, rows, rate)


def record_plan(warehouse: Warehouse, backfill: Backfill) -> None:
    """Keeps in the ledger what a new backfill is to do, for whoever goes on with it."""
    told = json.dumps({"asked": str(backfill.asked), "cuts": backfill.cuts})
    row = ledger_row(backfill.id, backfill.table, new_id(), "planned")
    warehouse.record({**row, "mode": "backfill", "slice": told})


def attempt_of(
    config: Config, warehouse: Warehouse, backfill: Backfill, piece: Piece, planned: Plan
) -> Attempt:
    """The attempt that publishes one slice.

    Raises:
        PermanentError: When the source's columns are no more those of the copy.
    """
    table, (snapshot, states) = backfill.table, planned.current()
    with open_source(config).connect() as session:
        contract = make_contract(
            table, relations(config, [table], session)[table.name], limits(config)
        )
    attempt = Attempt(
        table=table,
        run_id=backfill.id,
        contract=contract,
        snapshot=snapshot,
        state=states[table.name],
        full_refresh=False,
        partitions=[],
        copied=warehouse.rows(table.target),
        sought=piece.bounds,
        purpose="backfill",
        slice=piece.name,
    )
    if attempt.evolution.whole or attempt.evolution.changes:
        changes = "; ".join(attempt.evolution.changes) or "its settings"
        raise PermanentError(
            f"What is copied of it has changed since its last sync: {changes}.",
            remedy=f"Run python flows/daily.py --tables {table.name} first, which follows; then"
            " run the backfill again: its slices that are done stay done.",
            table=table.name,
        )
    return attempt


def _unfinished(
    warehouse: Warehouse, raw: str, contract: Contract, asked: Asked
) -> tuple[str, Cuts, set[str]] | None:
    """Identity, cuts and published slices of the last backfill that was asked for alike."""
    table = contract.table.target
    plans = warehouse.query(
        f"select run_id, slice from {raw}.sync_runs where table_name = ? and mode = 'backfill'"
        " and outcome = 'planned' order by finished_at desc",
        [table],
    )
    for identity, told in plans:
        plan = json.loads(told)
        if plan["asked"] != str(asked):
            continue
        published = warehouse.query(
            f"select slice from {raw}.sync_runs where table_name = ? and run_id = ?"
            " and outcome = 'published'",
            [table, identity],
        )
        done = {name for (name,) in published}
        names = {each.name for each in pieces(contract, asked, plan["cuts"])}
        return (identity, plan["cuts"], done) if names - done else None
    return None


def _rate(warehouse: Warehouse, raw: str, table: Table) -> float | None:
    """That of the largest publish: a small one takes its time for other things."""
    largest = warehouse.query(
        f"select rows_read, seconds from {raw}.sync_runs where table_name = ?"
        " and outcome = 'published' and rows_read > 0 order by rows_read desc limit 1",
        [table.target],
    )
    return next((float(rows) / float(seconds) for rows, seconds in largest), None)


def _number(session: Connection, contract: Contract, asked: Asked) -> int:
    """How many slices have about `SLICE_ROWS`."""
    every = pieces(contract, asked, [asked.start, asked.end])
    rows = _estimate(session, contract, every[0].at_source)
    return max(1, -(-rows // SLICE_ROWS))


def _ends(
    session: Connection, contract: Contract, asked: Asked
) -> tuple[Value | None, Value | None]:
    """The first and the last value of the column that a whole table is cut by."""
    field = sliced_by(contract, asked)
    if field is None or not asked.is_whole:
        return None, None
    held = within(field, *LIMITS[field.kind]).at_source if field.kind in LIMITS else sql.SQL("true")
    query = sql.SQL("select min({0}), max({0}) from {1} where {2}").format(
        sql.Identifier(field.name), _relation(contract), held
    )
    [(first, last)] = session.execute(query).fetchall()
    return first, last


def _estimate(session: Connection, contract: Contract, where: sql.Composable) -> int:
    """How many rows the source's planner expects."""
    query = sql.SQL("explain (format json) select from {} where {}")
    [(plan,)] = session.execute(query.format(_relation(contract), where)).fetchall()
    return int(plan[0]["Plan"]["Plan Rows"])


def _relation(contract: Contract) -> sql.Identifier:
    return sql.Identifier(contract.relation.schema, contract.relation.name)
