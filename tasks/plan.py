"""The night's plan: which tables, held against the source, and the snapshot they share."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from tasks.config import Config, Table
from tasks.connect import open_source, open_warehouse
from tasks.errors import ConfigError
from tasks.logs import log
from tasks.source.catalog import Relation, introspect
from tasks.source.demo import seed
from tasks.source.snapshot import Keeper, Snapshot
from tasks.transfer.extract import make_contract
from tasks.transfer.watermark import check_floor

OLD_FLOOR = timedelta(hours=1)


def chosen(config: Config, names: list[str] | None) -> list[Table]:
    """The tables to sync, all when none is named.

    Raises:
        ConfigError: When a name is not configured.
    """
    known = {table.name: table for table in config.tables}
    if missing := [name for name in names or [] if name not in known]:
        raise ConfigError(
            f"No table {', '.join(missing)} is configured.",
            remedy=f"Choose among {', '.join(known)}.",
        )
    return [known[name] for name in names or known]


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
        make_contract(table, relation)
        found[table.name] = relation
    return found


def check(config: Config, names: list[str] | None) -> None:
    """Says what is wrong with configuration, source or warehouse before anything is started."""
    tables = chosen(config, names)
    if config.source.demo is None:  # else its server is not started yet
        with open_source(config).connect(connect_timeout=3) as session:
            relations(config, tables, session)
    open_warehouse(config).__exit__()


@contextmanager
def plan(config: Config, tables: list[Table]) -> Iterator[Keeper]:
    """Readies the warehouse and keeps one snapshot of the source open while tables are read."""
    with open_warehouse(config) as warehouse:
        warehouse.prepare()
    source = open_source(config)
    if config.source.demo:
        seed(source.url, config.source.demo.scale)
    with Keeper(source, lambda session: relations(config, tables, session)) as keeper:
        report_floor(keeper.current(), tables)
        yield keeper


def report_floor(snapshot: Snapshot, tables: list[Table]) -> None:
    """Refuses tables whose watermark can't be made safe, and names what holds it back for long."""
    floor = snapshot.floor
    for table in tables:
        check_floor(floor, table)
    if floor.oldest and floor.clock - floor.oldest > OLD_FLOOR:
        log.warning(
            "A transaction has been open since %s (%s): rows from then on are read again each"
            " night until it ends.",
            floor.oldest,
            floor.culprit,
        )
    if floor.prepared:
        log.warning("A prepared transaction is open: watermarks stay until it is resolved.")
