"""What each attempt read and wrote: assets in Prefect and, where configured, OpenLineage's events.

Assets have the keys that prefect-dbt gives dbt's sources, so that dbt's own assets follow ours.
An endpoint that is down changes nothing of a night.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunState
from prefect.assets import Asset, AssetProperties
from prefect.context import AssetContext
from prefect.states import Completed, Failed
from prefect.types.names import MAX_ASSET_KEY_LENGTH, RESTRICTED_ASSET_CHARACTERS

from tasks import config
from tasks.attempt import Attempt, Outcome, Prepared
from tasks.connect import names_of, open_source
from tasks.errors import DaybreakError
from tasks.logs import log
from tasks.transfer.events import Copying, Place, source_place
from tasks.warehouse.base import Warehouse

#: An endpoint that has not answered by then is taken for down, for the rest of the run.
ANSWER_SECONDS = 5
UNFIT = re.compile(f"[{re.escape(''.join(RESTRICTED_ASSET_CHARACTERS))}]")
# Runs that have met an endpoint that is down.
_given_up: set[str] = set()
_one = threading.Lock()


@dataclass(frozen=True)
class Lineage:
    """Tells of a run's attempts at tables, through an open session with the warehouse."""

    config: config.Config
    warehouse: Warehouse

    @contextmanager
    def of(self, attempts: list[Attempt]) -> Iterator[None]:
        """Tells of it when the attempts fail."""
        try:
            yield
        except BaseException as error:
            for attempt in attempts:
                self._tell(attempt, RunState.FAIL, error=_words(error))
                self._materialized(attempt, None)
            raise

    def started(self, attempt: Attempt) -> None:
        self._tell(attempt, RunState.START)

    def ended(self, prepared: list[Prepared], outcomes: list[Outcome]) -> None:
        """Tells what became of attempts that did not fail."""
        for one, outcome in zip(prepared, outcomes, strict=True):
            if outcome.outcome == "published":
                rows = {"rows_read": outcome.rows_read, "rows_published": outcome.rows_published}
                self._tell(one.attempt, RunState.COMPLETE, **rows)
                self._materialized(one.attempt, rows)
            else:
                self._tell(one.attempt, RunState.ABORT)

    def _materialized(self, attempt: Attempt, rows: dict[str, int] | None) -> None:
        """Emits the events of a materializing task, without the task run that one would cost."""
        copying = self._copying(attempt)
        copy, source = _asset(copying.written), _asset(copying.read)
        told = AssetContext(
            downstream_assets={copy},
            direct_asset_dependencies={source},
            materialized_by="daybreak",
            materialization_metadata={copy.key: rows or {}},
        )
        told.emit_events(Failed() if rows is None else Completed())

    def _tell(self, attempt: Attempt, state: RunState, **details: Any) -> None:
        """Sends an event; the first that can't be sent is the run's last."""
        if self.config.lineage is None or attempt.run_id in _given_up:
            return
        try:
            self._client.emit(self._copying(attempt).event(state, **details))
        except Exception as error:  # whatever a transport raises; its text may hold a key
            with _one:
                if attempt.run_id not in _given_up:
                    _given_up.add(attempt.run_id)
                    log.warning(
                        "OpenLineage: %s can't be told (%s); the run goes on without.",
                        self.config.lineage.url or self.config.lineage.path,
                        type(error).__name__,
                    )

    @cached_property
    def _client(self) -> OpenLineageClient:
        assert self.config.lineage is not None
        return OpenLineageClient(
            config={
                "transport": _transport(self.config.lineage),
                # The address of a git remote may hold a login.
                "facets": {"source_code_location": {"disabled": True}},
            }
        )

    @cached_property
    def _source_url(self) -> str:
        return open_source(self.config).url

    def _copying(self, attempt: Attempt) -> Copying:
        namespace, database = self.warehouse.location()
        raw, table = self.config.warehouse.raw_schema, attempt.table.target
        return Copying(
            run_id=attempt.run_id,
            attempt=attempt.id,
            contract=attempt.contract,
            read=source_place(self._source_url, attempt.contract),
            written=Place(namespace, database, raw, table),
            sql_type=names_of(self.config).sql_type,
        )


def _transport(lineage: config.Lineage) -> dict[str, Any]:
    if lineage.url:
        url = str(lineage.url)
        return {"type": "http", "url": url, "timeout": ANSWER_SECONDS, "retry": {"total": 0}}
    assert lineage.path is not None
    lineage.path.parent.mkdir(parents=True, exist_ok=True)
    return {"type": "file", "log_file_path": str(lineage.path), "append": True}


def _asset(place: Place) -> Asset:
    """The asset of a table; prefect-dbt's keys name no account or file, so neither do ours."""
    kind, _, where = place.namespace.partition("://")
    if kind == "postgres":
        key = f"postgresql://{where.rpartition(':')[0]}/{place.database}"
    else:
        key = f"{kind}://{place.database}"
    path = UNFIT.sub("", f"{place.schema}/{place.table}")
    return Asset(
        key=f"{UNFIT.sub('', key)}/{path}"[:MAX_ASSET_KEY_LENGTH],
        properties=AssetProperties(name=place.name),
    )


def _words(error: BaseException) -> str:
    """What is said of a failure: other texts than ours may hold secrets."""
    return str(error) if isinstance(error, DaybreakError) else type(error).__name__
