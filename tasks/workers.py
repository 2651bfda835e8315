"""Tables copied by other workers: each subflow is a run of a deployment, awaited and judged here.

Nothing but the API and the ledger is shared with the worker: a run's end is read from its state,
and what it did to the table from the ledger.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn
from uuid import uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, WorkerStatus, WorkPool
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flows import Flow
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling
from prefect.utilities.callables import parameter_schema
from psycopg.conninfo import conninfo_to_dict

from tasks import errors
from tasks.attempt import Outcome, outcome_of
from tasks.config import Config
from tasks.connect import open_source, open_warehouse
from tasks.errors import ConfigError, DaybreakError, Interrupted, PermanentError, TransientError
from tasks.retry import LOST, WAIT
from tasks.source.read import interrupted
from tasks.table import Table
from tasks.turns import taken, warehouse_name

POLL_SECONDS = 2
SET_UP = "Run `make deploy`."
#: How Prefect words the exception that a flow ended with, in the message of its last state.
RAISED = re.compile(r"Flow run encountered an exception: (\w+): (.*)", re.DOTALL)


def check_workers(config: Config, tables: list[Table], flow: Flow[..., Any]) -> None:
    """Sets the limits of how much workers do at once, and says what keeps them from doing it.

    Args:
        flow: What a deployment has to run.

    Raises:
        ConfigError: When there is no API, no deployment of the flow as it is now, or nobody who
            would run it.
    """
    if config.execution != "workers":
        return
    check_api(config)
    with get_client(sync_client=True) as client:
        for name in sorted({table.deployment for table in tables}):
            _check_deployment(client, f"{flow.name}/{name}", flow)
        make_caps(client, config)


def make_caps(client: SyncPrefectClient, config: Config) -> dict[str, int]:
    """Sets the limits of how many tables workers copy at once; returns them by name."""
    caps = _caps(config)
    for name, limit in caps.items():
        client.upsert_global_concurrency_limit_by_name(name, limit)
    return caps


def check_api(config: Config) -> None:
    """Says when there is no Prefect server that workers could report to.

    Raises:
        ConfigError: With the setting that names one.
    """
    if config.execution == "workers" and not PREFECT_API_URL.value():
        raise ConfigError(
            "execution: workers needs a Prefect server that workers report to.",
            remedy="Set PREFECT_API_URL, or execution: in_process.",
        )


def _check_deployment(client: SyncPrefectClient, name: str, flow: Flow[..., Any]) -> None:
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        raise ConfigError(f"Prefect knows no deployment {name}.", remedy=SET_UP) from None
    expected = parameter_schema(flow).model_dump(mode="json")
    known = deployment.parameter_openapi_schema or {}
    if any(known.get(part) != expected[part] for part in ("properties", "definitions")):
        raise ConfigError(f"The deployment {name} is of another version.", remedy=SET_UP)
    pool_name = deployment.work_pool_name
    if not pool_name:
        raise ConfigError(f"The deployment {name} has no work pool.", remedy=SET_UP)
    pool = client.read_work_pool(pool_name)
    if pool.is_paused:
        raise ConfigError(
            f"The work pool {pool_name} is paused.",
            remedy=f"Run `prefect work-pool resume {pool_name}`.",
        )
    if not (pool.is_push_pool or pool.is_managed_pool or _is_served(client, pool)):
        raise ConfigError(
            f"No worker of the work pool {pool_name} is online.",
            remedy=f"Run `prefect worker start --pool {pool_name}` where it may work.",
        )


def _is_served(client: SyncPrefectClient, pool: WorkPool) -> bool:
    workers = client.read_workers_for_work_pool(pool.name)
    return any(worker.status == WorkerStatus.ONLINE for worker in workers)


def at_once(config: Config) -> int:
    """How many tables a run may have in the hands of workers."""
    return min(_caps(config).values())


def _caps(config: Config) -> dict[str, int]:
    """How many tables are copied at once from a source and to a warehouse, by the limit's name."""
    source = conninfo_to_dict(open_source(config).url)
    where = f"{source.get('host') or 'localhost'} {source.get('dbname') or ''}"
    return {
        # A limit's name may hold no slash.
        f"daybreak source {where}".replace("/", "_"): config.workers.per_source,
        f"daybreak warehouse {warehouse_name(config)}": config.workers.per_warehouse,
    }


def copy_on_worker(config: Config, table: Table, flow: str, parameters: dict[str, Any]) -> Outcome:
    """Has a worker run a table's subflow, and waits for its end.

    Raises:
        DaybreakError: Of the kind and with the words that the subflow failed with.
        TransientError: When its process crashed, its end can't be found out, or its turn does not
            come in time.
        PermanentError: When no worker took it in time, it took too long, or was cancelled.
    """
    with ExitStack() as held:
        _take_place(config, held)
        run = run_deployment(
            f"{flow}/{table.deployment}",
            parameters=parameters,
            timeout=0,
            idempotency_key=uuid4().hex,  # the client repeats an order whose answer was lost
        )
        assert isinstance(run, FlowRun)
        with _cancelled_if_left(run), get_client(sync_client=True) as client:
            ended = _awaited(client, run, config, table)
    state = ended.state
    assert state is not None
    if not state.is_completed():
        _fail(ended, table.name)
    with open_warehouse(config, run=parameters["run_id"], table=table.name) as warehouse:
        record = warehouse.last_attempt(parameters["run_id"], table.target)
    if record is None:
        raise TransientError(
            f"Its run {ended.name} completed, but the ledger knows nothing of it.",
            remedy="See that workers and this run have one configuration.",
        )
    return outcome_of(record, table)


def _take_place(config: Config, held: ExitStack) -> None:
    """Waits for a place under both caps, since other nights may hold some."""
    caps, wait = list(_caps(config)), config.workers.start_timeout
    if not taken(held, caps, wait.total_seconds()):
        raise TransientError(
            f"Other runs have kept all places under its limits for {wait} (h:mm:ss).",
            remedy=f"`prefect gcl inspect '{caps[0]}'` says how many are taken.",
        )


def _awaited(client: SyncPrefectClient, run: FlowRun, config: Config, table: Table) -> FlowRun:
    """The run once it has ended; a server that restarts is waited for.

    One that was evicted from its machine waits for another, so each wait has its own time.
    """
    limits = config.workers
    since, waits = time.monotonic(), True
    while True:
        with suppress(httpx.TransportError, PrefectHTTPStatusError):
            run = client.read_flow_run(run.id)
        state, now = run.state, time.monotonic()
        if state is None or state.is_final():
            return run
        if waits != (state.is_scheduled() or state.is_pending()):
            since, waits = now, not waits
        if waits and now - since > limits.start_timeout.total_seconds():
            raise PermanentError(
                f"No worker has started it within {limits.start_timeout} (h:mm:ss).",
                remedy=f"Look up the workers of the deployment {table.deployment}, then run again.",
            )
        if not waits and now - since > limits.run_timeout.total_seconds():
            raise PermanentError(
                f"It has been running for {limits.run_timeout} (h:mm:ss).",
                remedy=f"Look up its run {run.name}, or raise workers.run_timeout.",
            )
        if interrupted.wait(POLL_SECONDS):
            raise Interrupted("The night was told to stop.", remedy="Run it again.")


@contextmanager
def _cancelled_if_left(run: FlowRun) -> Iterator[None]:
    """Cancels the run when nobody waits for it any more."""
    try:
        yield
    except BaseException:
        with suppress(Exception), get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
        raise


def _fail(run: FlowRun, table: str) -> NoReturn:
    """Raises what the run ended with."""
    state = run.state
    assert state is not None
    said = state.message or ""
    if state.is_crashed():
        raise TransientError(
            f"Its run {run.name} crashed: {said.rstrip('.') or 'no word of why'}.",
            remedy="The worker's log says more; a worker that is out of memory needs more.",
        )
    if state.is_cancelled() or state.is_cancelling():
        raise PermanentError(f"Its run {run.name} was cancelled.", remedy="Run again.")
    if raised := RAISED.fullmatch(said):
        if raised[1] in LOST:
            raise TransientError(f"Its run {run.name} lost Prefect's server.", remedy=WAIT)
        kind = getattr(errors, raised[1], None)
        if isinstance(kind, type) and issubclass(kind, DaybreakError):
            raise kind(raised[2].removeprefix(f"{table}: "), remedy="", table=table)
    raise PermanentError(f"Its run {run.name} failed: {said}", remedy="Its log says more.")
