"""How the end of a table's run by a worker is judged, from nothing but its state on the server."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Completed,
    Crashed,
    Pending,
    Running,
    exception_to_failed_state,
)

from tasks import workers
from tasks.config import Config
from tasks.errors import (
    BreakerTripped,
    DaybreakError,
    Interrupted,
    PermanentError,
    StaleSnapshot,
    TransientError,
)
from tasks.source.read import interrupted
from tasks.table import Table

RAISED = "Flow run encountered an exception"


def failed(error: Exception) -> State[Any]:
    """The state that Prefect's engine gives a flow which raised this, without its data."""
    state: State[Any] = asyncio.run(exception_to_failed_state(error, message=f"{RAISED}:"))
    return state.model_copy(update={"data": None})


def run(state: State[Any]) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), name="extract-load t", state=state)


@pytest.mark.parametrize("kind", [TransientError, PermanentError, StaleSnapshot, BreakerTripped])
def test_a_failure_keeps_its_kind_and_its_words(kind: type[DaybreakError]) -> None:
    said = kind("It broke.", remedy="Mend it.", table="t")
    with pytest.raises(DaybreakError) as judged:
        workers._fail(run(failed(said)), "t")
    assert type(judged.value) is kind
    assert str(judged.value) == str(said)


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (failed(httpx.ConnectError("refused")), TransientError, "lost Prefect's server"),
        (failed(KeyError("x")), PermanentError, "KeyError"),
        (Crashed(message="Its machine is gone."), TransientError, "crashed: Its machine is gone"),
        (Cancelled(), PermanentError, "was cancelled"),
    ],
)
def test_another_end_is_judged_by_what_may_help(
    state: State[Any], kind: type[DaybreakError], words: str
) -> None:
    with pytest.raises(DaybreakError, match=words) as judged:
        workers._fail(run(state), "t")
    assert type(judged.value) is kind


class Server:
    """One that answers with the next state each second of its own clock, and the last for ever."""

    def __init__(self, *states: State[Any] | Exception) -> None:
        self.states, self.now = list(states), 0.0

    def read_flow_run(self, _id: object) -> FlowRun:
        self.now += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return run(state)


def awaited(server: Server, monkeypatch: pytest.MonkeyPatch, **limits: timedelta) -> FlowRun:
    monkeypatch.setattr(workers, "POLL_SECONDS", 0)
    monkeypatch.setattr(time, "monotonic", lambda: server.now)
    table = Table.model_validate({"name": "t"})
    config = Config.model_validate(
        {
            "source": {"url": "postgresql:///x"},
            "warehouse": {"kind": "snowflake"},
            "tables": [table],
        }
    )
    config = config.model_copy(update={"workers": config.workers.model_copy(update=limits)})
    return workers._awaited(server, run(Pending()), config, table)  # type: ignore[arg-type]


def test_a_run_that_was_evicted_may_wait_for_another_machine_as_long_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states: list[State[Any]] = (
        [Pending()] * 8 + [Running()] * 20 + [AwaitingRetry()] * 8 + [Running(), Completed()]
    )
    ended = awaited(Server(*states), monkeypatch, start_timeout=timedelta(seconds=10))
    assert ended.state and ended.state.is_completed()


def test_a_server_that_restarts_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Running(), httpx.ConnectError("refused"), Running(), Completed())
    ended = awaited(server, monkeypatch)
    assert ended.state and ended.state.is_completed()


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([Pending()], "No worker has started it within 0:00:10"),
        ([Running()], "It has been running for 0:00:20"),
        ([Running(), AwaitingRetry()], "No worker has started it within 0:00:10"),
    ],
)
def test_a_run_that_does_not_end_is_given_up(
    states: list[State[Any]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"start_timeout": timedelta(seconds=10), "run_timeout": timedelta(seconds=20)}
    with pytest.raises(PermanentError, match=words):
        awaited(Server(*states), monkeypatch, **limits)


def test_an_interrupted_night_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupted, "is_set", lambda: True)
    monkeypatch.setattr(interrupted, "wait", lambda _seconds: True)
    with pytest.raises(Interrupted):
        awaited(Server(Running()), monkeypatch)
