"""What happens to the server itself: restarts, crashes, and transactions that outlive both."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tasks.source import embedded
from tests.conftest import Night, server_folder
from tests.faults.conftest import Copied, Strike
from tests.faults.steps import once


@dataclass(frozen=True)
class Server:
    folder: Path

    def start(self) -> str:
        return embedded.start(self.folder)

    def restart(self, how: signal.Signals) -> None:
        """Stops the server by a signal of its own language, and starts it again."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, how)
        with suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                time.sleep(0.05)
        self.start()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, which keeps prepared transactions."""
    with server_folder() as folder:
        server = Server(folder)
        with psycopg.connect(server.start(), autocommit=True) as session:
            session.execute("alter system set max_prepared_transactions = 2")
        server.restart(signal.SIGINT)
        yield server


@pytest.fixture(scope="module")
def postgres(server: Server) -> str:
    return server.start()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_a_restart_of_the_server_in_the_middle_of_a_read_costs_another_attempt_and_no_row(
    how: signal.Signals, copied: Copied, server: Server, night: Night, at: Strike
) -> None:
    at("chunk read", once(lambda: server.restart(how)))
    night(copied.config)
    copied.equals_source()
    failures = copied.warehouse("select error from raw.sync_runs where outcome = 'failed'")
    assert failures
    assert not any("cancel" in said for (said,) in failures)


def test_rows_of_a_prepared_transaction_arrive_when_it_is_committed(
    copied: Copied, source: psycopg.Connection, source_url: str
) -> None:
    with psycopg.connect(source_url) as late:
        late.execute("insert into grown values (9001, 1, 'prepared', now())")
        late.execute("prepare transaction 'late'")
    source.execute("insert into grown values (9002, 1, 'newer', clock_timestamp())")
    copied.sync()
    assert copied.warehouse("select id from raw.grown where id > 9000") == [(9002,)]
    source.execute("commit prepared 'late'")
    copied.sync()
    copied.equals_source()
