"""No catch-up: of the nights that are due after an outage, only the newest works."""

from datetime import UTC, datetime

from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.context import FlowRunContext
from prefect.states import Completed

from tasks.logs import log


def superseded() -> State[None] | None:
    """The state in which a scheduled run ends at once, since a newer one does what it would.

    A newer one is due, of the same deployment and with the same parameters.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or not (run.auto_scheduled and run.deployment_id and run.expected_start_time):
        return None
    due = FlowRunFilterExpectedStartTime(after_=run.expected_start_time, before_=datetime.now(UTC))
    with get_client(sync_client=True) as client:
        others = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[run.deployment_id])),
            flow_run_filter=FlowRunFilter(expected_start_time=due),
        )
    newer = [
        other.expected_start_time
        for other in others
        if other.auto_scheduled
        and other.parameters == run.parameters
        and other.expected_start_time
        and other.expected_start_time > run.expected_start_time
        and not (other.state and other.state.is_cancelled())
    ]
    if not newer:
        return None
    message = f"The night of {max(newer):%Y-%m-%d %H:%M %Z} is due, and copies what this one would."
    log.info(message)
    return Completed(name="Skipped", message=message)
