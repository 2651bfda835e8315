"""What the emulator does to a request when a test tells it to.

A fault is written into the server's folder as `{"text": ..., "fault": ...}`, and strikes the first
statement that begins with the text, or with "upload" the first file on its way to a stage:

- unheard: nothing runs; connection and session are lost, and a second try meets no session.
- unanswered: it runs; the answer breaks off, and session and open transaction are lost.
- refused: it fails with Snowflake's error 100038, and the session goes on.
- hung: it never runs, and the client is told to wait until it cancels.
"""

import asyncio
import gzip
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import duckdb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Fault = Literal["unheard", "unanswered", "refused", "hung"]
Answer = Callable[[Request], Awaitable[Response]]
FAULT = "fault.json"
STATEMENTS = "statements.jsonl"
NO_SESSION = {"success": False, "code": "390111", "message": "Session no longer exists."}
REFUSED = {
    "success": False,
    "code": "100038",
    "message": "Numeric value 'x' is not recognized",
    "data": {"errorCode": "100038", "sqlState": "22018"},
}
CANCELED = {
    "success": False,
    "code": "000604",
    "message": "SQL execution canceled",
    "data": {"errorCode": "000604", "sqlState": "57014"},
}


class BrokenOff(Response):
    """An answer without its body: the server closes the connection instead."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Requests:
    """The server's answers, one at a time a session, each statement written down, and its faults.

    Args:
        module: `fakesnow.server`, whose answers they are.
        folder: Where the fault is told and statements are written.
    """

    def __init__(self, module: Any, folder: Path) -> None:
        self._server = module
        self._folder = folder
        self._parameters: dict[str, dict[str, Any]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._canceled: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._ended: set[str] = set()

    def routes(self) -> Iterator[Route]:
        """Those that stand before the server's own."""
        yield Route("/session/v1/login-request", self._login, methods=["POST"])
        yield Route("/session", self._logout, methods=["POST"])
        yield Route("/queries/v1/query-request", self._query, methods=["POST"])
        yield Route("/queries/v1/abort-request", self._cancel, methods=["POST"])
        yield Route("/queries/{request}/result", self._result, methods=["GET"])
        yield Route("/fs_bucket/{path:path}", self._upload, methods=["PUT"])

    async def _login(self, request: Request) -> Response:
        answer = json.loads((await self._server.login_request(request)).body)
        token = answer["data"]["token"]
        self._parameters[token] = (await _asked(request))["data"]["SESSION_PARAMETERS"]
        answer["data"]["masterToken"] = token  # without which the connector never logs out
        return JSONResponse(answer)

    async def _logout(self, request: Request) -> Response:
        self._end(self._server.to_token(request))
        return JSONResponse({"success": True})

    async def _query(self, request: Request) -> Response:
        session = self._server.to_token(request)
        async with self._turns[session]:
            if session in self._ended:
                return JSONResponse(NO_SESSION)
            return await self._run(session, request)

    async def _run(self, session: str, request: Request) -> Response:
        asked = await _asked(request)
        self._write_down(session, asked)
        fault = self._fault(asked["sqlText"])
        if fault == "refused":
            return JSONResponse(REFUSED)
        if fault == "hung":
            url = f"/queries/{request.query_params['requestId']}/result"
            return JSONResponse(
                {"success": True, "code": "333333", "data": {"getResultUrl": url}, "message": None}
            )
        if fault == "unheard":
            self._end(session)
            return Response(status_code=503)
        answer: Response = await self._server.query_request(request)
        if fault == "unanswered":
            self._end(session)
            return BrokenOff()
        return answer

    async def _cancel(self, request: Request) -> Response:
        self._canceled[(await _asked(request))["requestId"]].set()
        return JSONResponse({"success": True})

    async def _result(self, request: Request) -> Response:
        await self._canceled[request.path_params["request"]].wait()
        return JSONResponse(CANCELED)

    async def _upload(self, request: Request) -> Response:
        if self._fault("upload"):
            return BrokenOff()
        answer: Response = await self._server.bucket_upload(request)
        return answer

    def _write_down(self, session: str, asked: dict[str, Any]) -> None:
        parameters = self._parameters[session] | (asked.get("parameters") or {})
        kept = {name: asked.get(name) for name in ("sqlText", "bindings")}
        with (self._folder / STATEMENTS).open("a") as lines:
            lines.write(json.dumps({**kept, "parameters": parameters}) + "\n")

    def _fault(self, text: str) -> Fault | None:
        """What strikes this text, once."""
        told = self._folder / FAULT
        if not told.exists():
            return None
        fault = json.loads(told.read_text())
        if not text.startswith(fault["text"]):
            return None
        told.unlink()
        struck: Fault = fault["fault"]
        return struck

    def _end(self, session: str) -> None:
        """Ends a session, which rolls back what is open in it."""
        self._ended.add(session)
        if connection := self._server.sessions.pop(session, None):
            with suppress(duckdb.TransactionException):  # nothing is open
                connection._duck_conn.rollback()
            connection._duck_conn.close()


async def _asked(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    asked: dict[str, Any] = json.loads(body)
    return asked
