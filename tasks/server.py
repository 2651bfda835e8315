"""The temporary Prefect server of a run without PREFECT_API_URL.

Prefect would start one itself, but only at the first flow run, after importing the whole server
into this process too, and on a file shared with every other Prefect of the user, where parallel
subflows wait seconds for SQLite's lock. This one starts while the source does, keeps its records
in memory, and ends with the process that started it, however that ends.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tasks.child import end_with_parent
from tasks.errors import ConfigError, PermanentError

STARTUP_SECONDS = 120
ANSWER_SECONDS = 10
SETTINGS = {
    # In-process services and the UI are of no use to a server that lives for one run.
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_API_DATABASE_CONNECTION_URL": (
        "sqlite+aiosqlite:///file::memory:?cache=shared&uri=true&check_same_thread=false"
    ),
    # Registering blocks would import every installed collection, Snowflake's and dbt's included.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


class TemporaryServer:
    """A Prefect server in a child process; `ready` waits for it."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasks.server"],
            env={**os.environ, **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )

    def ready(self) -> str:
        """The API's URL, once it answers.

        Raises:
            PermanentError: When the server died or took longer than `STARTUP_SECONDS`.
        """
        assert self._process.stdout is not None
        port = self._process.stdout.readline().decode().strip()
        url = f"http://127.0.0.1:{port}/api"
        try:
            httpx.get(f"{url}/health", timeout=STARTUP_SECONDS).raise_for_status()
        except httpx.HTTPError:
            self._said.seek(0)
            words = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise PermanentError(
                f"The temporary Prefect server did not start: {' '.join(words) or 'no answer'}.",
                remedy="Run `prefect server start` and set PREFECT_API_URL to use that one.",
            ) from None
        return url

    def stop(self) -> None:
        """Ends the server; it also ends by itself when this object or the process is gone."""
        self._process.terminate()
        self._process.communicate()
        self._said.close()


def temporary_server() -> TemporaryServer | None:
    """Starts a server in the background, unless PREFECT_API_URL names one to use.

    Raises:
        ConfigError: When that one can't be reached.
    """
    if url := PREFECT_API_URL.value():
        _check_reachable(url)
        return None
    for name in ("NO_PROXY", "no_proxy"):
        # A proxy could not reach it, and would be asked by Prefect's client here and in dbt.
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
    return TemporaryServer()


def _check_reachable(url: str) -> None:
    once = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})
    with once, get_client({"timeout": ANSWER_SECONDS}, sync_client=True) as client:
        error = client.api_healthcheck()
    if isinstance(error, httpx.TransportError | httpx.InvalidURL):
        raise ConfigError(
            f"Prefect's server {url} can't be reached: {str(error) or 'no answer'}.",
            remedy="Check PREFECT_API_URL and that the server runs; without it, a run starts one.",
        )


@contextmanager
def serving(server: TemporaryServer | None) -> Iterator[None]:
    """Points Prefect at the temporary server, once it is ready."""
    if server is None:
        yield
        return
    with temporary_settings({PREFECT_API_URL: server.ready()}):
        try:
            yield
        finally:
            APILogHandler().flush()


def _serve() -> None:
    """The child: tells its port, serves, and ends when the parent's end of stdin closes."""
    # Only a socket that is named TCP gets TCP_NODELAY; else each answer waits 40 ms for an ACK.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(listener.getsockname()[1], flush=True)
    end_with_parent()

    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve()
