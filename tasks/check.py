"""The task that measures one relation and keeps what it measured."""

from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Check
from tasks.errors import ConfigError, PermanentError
from tasks.quality.measure import Measurement, judge, offending, scan
from tasks.warehouse.base import Warehouse


@task(
    name="measure",
    task_run_name="measure {check.relation}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def measure(warehouse: Warehouse, check: Check, run_id: str) -> list[Measurement]:
    """Measures a relation in one scan, and each custom query by its number of rows.

    Raises:
        ConfigError: When the relation, a column or a query can't be read.
    """
    now = datetime.now(UTC)
    statement, probes = scan(check, now, warehouse.quote)
    try:
        measurements = judge(check, probes, warehouse.query(statement)[0])
        for name, query in check.sql.items():
            # On a line of its own the bracket outlasts a comment.
            counted = f"select count(*) from ({query.rstrip().rstrip(';')}\n) q"
            [(rows,)] = warehouse.query(counted)
            measurements.append(offending(check, name, rows))
    except PermanentError as error:
        raise ConfigError(
            f"quality of {check.relation} can't be measured: {error.message}",
            remedy="Correct the relation, column or query under quality.",
        ) from None
    warehouse.add(
        "quality_results",
        [
            {
                "run_id": run_id,
                "relation": each.relation,
                "check_name": each.check,
                "measured": each.value,
                "threshold": each.threshold.words,
                "at_least": each.threshold.at_least,
                "at_most": each.threshold.at_most,
                "breached": each.breached,
                "measured_at": now,
            }
            for each in measurements
        ],
    )
    return measurements
