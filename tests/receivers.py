"""Where notifications arrive in the tests: a real mail server and a real webhook."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from prefect.blocks.notifications import CustomWebhookNotificationBlock

PASSWORD = "hunter2-hunter2"


class Inbox(MessageHandler):
    """Keeps what arrives at its port."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def mail_server() -> Iterator[Inbox]:
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    controller.start()
    yield inbox
    controller.stop()


class Quiet:
    """What keeps a handler from writing of each request to the terminal."""

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of loopback at which the handler answers while the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server.server_port
        server.shutdown()


@dataclass
class Hook:
    """The texts that were posted to a port."""

    port: int = 0
    posted: list[str] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posted.append(
                json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            )
            self.send_response(200)
            self.end_headers()

    with answering(Handler) as hook.port:
        yield hook


@contextmanager
def forgetful(url: str, order: str) -> Iterator[str]:
    """A way to the server at the URL on which the first answer to such an order is lost."""
    lost = iter([order])

    class Handler(Quiet, BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = ("Content-Type", "X-PREFECT-API-VERSION")
            headers = {name: self.headers[name] for name in sent if name in self.headers}
            answer = httpx.request(
                self.command, url + self.path, content=body, headers=headers, timeout=60
            )
            is_lost = self.path.endswith(order) and next(lost, None) is not None
            self.send_response(503 if is_lost else answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    with answering(Handler) as port:
        yield f"http://127.0.0.1:{port}"
    assert next(lost, None) is None, "nobody gave the order"


def webhook_block(hook: Hook) -> dict[str, object]:
    """Saves a block that posts there with a secret in its URL; the setting that names it."""
    CustomWebhookNotificationBlock(
        name="alerts",
        url=f"http://127.0.0.1:{hook.port}/{PASSWORD}",
        json_data={"text": "{{subject}} | {{body}}"},
        allow_private_urls=True,
    ).save("alerts", overwrite=True)
    return {"block": "custom-webhook/alerts"}
