"""The subflow that holds the published relations against their thresholds."""

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from tasks.check import measure
from tasks.config import load_config
from tasks.connect import open_warehouse
from tasks.errors import DataQualityError
from tasks.logs import log
from tasks.notify import tell
from tasks.quality.measure import Measurement

PASSED = "PASSED (no issues detected)"
NOTHING = "nothing measured (the configuration names no relation)"


@flow(name="quality", persist_result=False, on_failure=[tell], on_crashed=[tell])
def quality(config: str, run_id: str | None = None) -> list[Measurement]:
    """Measures every relation under `quality` and fails when a threshold is breached.

    Args:
        config: Path of the configuration file.
        run_id: The daily run it belongs to; its own when it runs alone.

    Raises:
        DataQualityError: Naming relation, check, measured value and threshold of each breach.
    """
    settings = load_config(Path(config))
    run = run_id or str(flow_run.id)
    with open_warehouse(settings, run=run) as warehouse:
        warehouse.prepare()
        measured = [
            measurement
            for check in settings.quality
            for measurement in measure(warehouse, check, run)
        ]
    create_table_artifact(
        [
            {
                "relation": each.relation,
                "check": each.check,
                "value": each.value,
                "threshold": each.threshold.words,
                "breached": each.breached,
            }
            for each in measured
        ],
        key="quality",
        description="Every measurement of the night beside its threshold.",
    )
    breaches = [measurement for measurement in measured if measurement.breached]
    if breaches:
        raise DataQualityError(
            "; ".join(_told(breach) for breach in breaches) + ".",
            remedy="Find the cause in the source; readers see this data until it is mended.",
        )
    log.info("quality: %s", PASSED if measured else NOTHING)
    return measured


def _told(breach: Measurement) -> str:
    value = "nothing" if breach.value is None else f"{breach.value:.6g}"
    return f"{breach.relation}: {breach.check} is {value}, expected {breach.threshold.words}"
