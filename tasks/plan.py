"""The night's plan: which tables, held against the source, and the snapshot they share."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Self

import psycopg

from tasks.config import Config
from tasks.connect import limits, open_source, open_warehouse
from tasks.errors import ConfigError, DaybreakError
from tasks.logs import log
from tasks.notify import load_block
from tasks.source.catalog import Relation, introspect
from tasks.source.connection import Source
from tasks.source.demo import seed
from tasks.source.snapshot import Keeper, Snapshot
from tasks.table import Table
from tasks.transfer.contract import make_contract
from tasks.transfer.files import sweep
from tasks.transfer.overwrite import asked_partitions
from tasks.warehouse.base import State
from tasks.workers import check_api

OLD_FLOOR = timedelta(hours=1)


def chosen(config: Config, names: list[str] | None) -> list[Table]:
    """The tables to sync, each once; all when none is named.

    Raises:
        ConfigError: When a name is not configured.
    """
    known = [table.name for table in config.tables]
    if missing := [name for name in names or [] if name not in known]:
        raise ConfigError(
            f"No table {', '.join(missing)} is configured.",
            remedy=f"Choose among {', '.join(known)}.",
        )
    return [table for table in config.tables if table.name in (names or known)]


def forced(tables: list[Table], names: Sequence[str]) -> frozenset[str]:
    """The names of tables whose breakers don't stop them.

    Raises:
        ConfigError: When one of them is not among the tables to sync.
    """
    there = [table.name for table in tables]
    if missing := [name for name in names if name not in there]:
        raise ConfigError(
            f"--force names {', '.join(missing)}, which this run does not copy.",
            remedy=f"Choose among {', '.join(there)}.",
        )
    return frozenset(names)


def relations(
    config: Config, tables: list[Table], session: psycopg.Connection
) -> dict[str, Relation]:
    """Introspects each table and holds it against its configuration.

    Raises:
        ConfigError: When a table, column, cursor or key is not what the configuration says.
    """
    found = {}
    for table in tables:
        schema, _, name = table.name.rpartition(".")
        relation = introspect(session, schema or config.source.schema_, name)
        make_contract(table, relation, limits(config))
        found[table.name] = relation
    return found


def check(
    config: Config,
    names: list[str] | None,
    partitions: Sequence[str] = (),
    force: Sequence[str] = (),
) -> None:
    """Says what is wrong with configuration, source or warehouse before anything is started."""
    tables = chosen(config, names)
    forced(tables, force)
    check_api(config)
    if config.source.demo is None:  # else its server is not started yet
        with open_source(config).connect(connect_timeout=3) as session:
            found = relations(config, tables, session)
        for table in tables if partitions else []:
            contract = make_contract(table, found[table.name], limits(config))
            asked_partitions(contract, [*partitions])
    open_warehouse(config).__exit__()
    if config.notify:
        load_block(config.notify)


def check_copied(config: Config, tables: list[Table]) -> None:
    """Refuses tables of which there is nothing to compare or fill.

    Raises:
        ConfigError: Naming those that were never published.
    """
    with open_warehouse(config, step="plan") as warehouse:
        warehouse.prepare()
        never = [each.name for each in tables if not warehouse.state(each.target).fingerprint]
    if never:
        raise ConfigError(
            f"{', '.join(never)} was never copied.",
            remedy=f"Run python flows/daily.py --tables {','.join(never)} first.",
        )


class Plan:
    """What every table of a night starts from: one snapshot, and the states before it was taken.

    A state that was read earlier than the snapshot keeps its version guard true: whoever publishes
    a table after it wins, and this night, whose snapshot may be older, does not.
    """

    def __init__(self, config: Config, tables: list[Table], source: Source) -> None:
        self._config = config
        self._tables = tables
        self._lock = threading.Lock()
        self._keeper = Keeper(source, self._before_snapshot)
        self._states: dict[str, State] = {}

    @contextmanager
    def open(self) -> Iterator[Self]:
        with self._keeper:
            yield self

    def current(self) -> tuple[Snapshot, dict[str, State]]:
        """The snapshot and the states by table; both are new when the last one was lost."""
        with self._lock:
            return self._keeper.current(), self._states

    def discard(self, snapshot: Snapshot) -> None:
        """Ends a snapshot that a table can't be read on any more."""
        self._keeper.discard(snapshot)

    def _before_snapshot(self, session: psycopg.Connection) -> dict[str, Relation]:
        with open_warehouse(self._config, step="plan") as warehouse:
            self._states = {table.name: warehouse.state(table.target) for table in self._tables}
        found: dict[str, Relation] = {}
        for table in self._tables:
            with suppress(DaybreakError):  # the table's own subflow meets it again, and fails
                found |= relations(self._config, [table], session)
        return found


@contextmanager
def plan(config: Config, tables: list[Table]) -> Iterator[Plan]:
    """Readies the warehouse and keeps one snapshot of the source open while tables are read."""
    with open_warehouse(config, step="plan") as warehouse:
        warehouse.prepare()
        sweep(warehouse.staging_folder())
        source = open_source(config)
        if config.source.demo:
            seed(source.url, config.source.demo.scale)
        # The session stays: while one is open, DuckDB opens the file's next one in no time.
        with Plan(config, tables, source).open() as planned:
            snapshot, _ = planned.current()
            report_snapshot(snapshot)
            yield planned


def report_snapshot(snapshot: Snapshot) -> None:
    """Says where tables are not read at one instant, and what holds the watermarks back."""
    if not snapshot.shared:
        log.warning(
            "The source's sessions can't share a snapshot, as behind some poolers and balancers:"
            " each table is read by one stream, at an instant of its own."
        )
    floor = snapshot.floor
    if floor.oldest and floor.clock - floor.oldest > OLD_FLOOR:
        log.warning(
            "A transaction has been open since %s (%s): rows from then on are read again each"
            " night until it ends.",
            floor.oldest,
            floor.culprit,
        )
    if floor.prepared:
        log.warning("A prepared transaction is open: watermarks stay until it is resolved.")
