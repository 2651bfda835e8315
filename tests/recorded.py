"""A Snowflake that gives recorded answers over HTTP, for what the emulator can't refuse.

It remembers the logins it was asked for. The shapes of requests and answers are those that
snowflake-connector-python sends and reads (auth/_auth.py, network.py, cursor.py).
"""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.receivers import Quiet, answering

Answer = dict[str, Any]
WELCOME: Answer = {
    "success": True,
    "data": {"token": "session", "masterToken": "master", "sessionId": 1, "parameters": []},
}
DONE: Answer = {
    "success": True,
    "data": {
        "rowtype": [],
        "rowset": [],
        "total": 0,
        "returned": 0,
        "queryId": "01b00000-0000-0000-0000-000000000000",
        "queryResultFormat": "json",
        "parameters": [],
    },
}


def rows(*found: tuple[str, ...]) -> Answer:
    """A result of text columns, as Snowflake's API spells it."""
    column = {"type": "text", "nullable": True, "precision": None, "scale": None, "length": 99}
    kinds = [{**column, "name": f"C{number}"} for number, _ in enumerate(found[0])]
    data = {"rowtype": kinds, "rowset": found, "total": len(found), "returned": len(found)}
    return {"success": True, "data": DONE["data"] | data}


def refusal(code: str, sqlstate: str, message: str) -> Answer:
    """An error as Snowflake's API spells it."""
    return {
        "success": False,
        "code": code,
        "message": message,
        "data": {"errorCode": code, "sqlState": sqlstate, "queryId": DONE["data"]["queryId"]},
    }


@dataclass
class RecordedAccount:
    """What the server answers and was asked; statements are matched by the first fitting pattern.

    `status` is the HTTP status of every answer. `logins` holds each login's query parameters and
    body data in one dict.
    """

    port: int = 0
    status: int = 200
    login: Answer = field(default_factory=lambda: WELCOME)
    statements: dict[str, Answer] = field(default_factory=dict)
    logins: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        asked = urlsplit(path)
        if asked.path.endswith("/session/v1/login-request"):
            self.logins.append(dict(parse_qsl(asked.query)) | body["data"])
            return self.login
        said = body.get("sqlText", "")
        fitting = (
            answer
            for pattern, answer in self.statements.items()
            if re.search(pattern, said, re.IGNORECASE)
        )
        return next(fitting, DONE)


@contextmanager
def recorded_account() -> Iterator[RecordedAccount]:
    """Serves an account on loopback while the block lasts."""
    account = RecordedAccount()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = json.dumps(account.answer(self.path, json.loads(body or b"{}"))).encode()
            self.send_response(account.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with answering(Handler) as account.port:
        yield account
