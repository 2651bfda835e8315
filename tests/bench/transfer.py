"""One table through our own transfer, as a process: prints its rows and seconds.

Usage: python -m tests.bench.transfer URL SCHEMA.TABLE FILE.duckdb [JSON of the table's settings]
"""

import json
import sys
import time
from pathlib import Path

from tasks.attempt import Attempt, Outcome
from tasks.compare import compare
from tasks.config import Config
from tasks.connect import limits, open_source, open_warehouse
from tasks.dead_letters import sought, store_letters
from tasks.extract import extract
from tasks.load import audit, load
from tasks.plan import plan, relations
from tasks.publish import publish
from tasks.transfer.contract import make_contract


def transfer(
    config: Config,
    full_refresh: bool = False,
    partitions: list[str] | None = None,
    forced: bool = False,
    replay: bool = False,
) -> Outcome:
    """Snapshot, read, screen, stage, audit and publish, without Prefect around the tasks."""
    [table] = config.tables
    source = open_source(config)
    with plan(config, [table]) as planned, open_warehouse(config) as warehouse:
        with source.connect() as session:
            relation = relations(config, [table], session)[table.name]
        snapshot, states = planned.current()
        contract = make_contract(table, relation, limits(config))
        attempt = Attempt(
            table=table,
            run_id="00000000-0000-0000-0000-000000000000",
            contract=contract,
            snapshot=snapshot,
            state=states[table.name],
            full_refresh=full_refresh,
            partitions=partitions or [],
            copied=warehouse.rows(table.target),
            sought=sought(warehouse, contract) if replay else None,
            forced=forced,
        )
        files = attempt.staging_files(warehouse, config.warehouse.file_size)
        with files.open():
            extracted = extract.fn(source, attempt, config.source.streams, files)
            prepared = load.fn(warehouse, attempt, extracted)
            if prepared.is_compared:
                prepared = compare.fn(source, warehouse, prepared, config.source.streams, files)
            audit.fn(warehouse, prepared)
            if config.dead_letters:
                store_letters.fn(config.dead_letters, prepared, files)
        [outcome] = publish.fn(warehouse, [prepared])
        return outcome


def main() -> None:
    url, name, file, *settings = sys.argv[1:]
    Path(file).unlink(missing_ok=True)
    table = {"name": name, **(json.loads(settings[0]) if settings else {})}
    config = Config.model_validate(
        {"source": {"url": url}, "warehouse": {"path": file}, "tables": [table]}
    )
    started = time.perf_counter()
    outcome = transfer(config)
    seconds = time.perf_counter() - started
    print(outcome.rows_published, seconds)


if __name__ == "__main__":
    main()
