"""What a server that refuses a connection means: try again, or correct something first."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tasks.errors import DaybreakError, PermanentError, TransientError
from tasks.source.connection import Source

# As the server words them, https://www.postgresql.org/docs/18/errcodes-appendix.html.
PASSES = [
    ("57P01", "terminating connection due to administrator command"),
    ("57P02", "terminating connection because of crash of another server process"),
    ("57P03", "the database system is starting up"),
    ("57P03", "the database system is shutting down"),
    ("57P03", "the database system is in recovery mode"),
    ("57P03", "the database system is not yet accepting connections"),
    ("57014", "canceling authentication due to timeout"),
    ("53300", "sorry, too many clients already"),
    ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    ("53300", 'too many connections for role "reader"'),
    ("53200", "out of memory"),
    ("58P01", 'could not open file "global/pg_filenode.map": Too many open files in system'),
    ("55000", 'database "shop" is not currently accepting connections'),
]
STAYS = [
    ("28P01", 'password authentication failed for user "reader"'),
    ("28000", 'Peer authentication failed for user "reader"'),
    ("28000", 'no pg_hba.conf entry for host "127.0.0.1", user "reader", database "shop"'),
    ("28000", 'pg_hba.conf rejects connection for host "127.0.0.1", user "reader"'),
    ("28000", 'role "reader" does not exist'),
    ("28000", 'role "reader" is not permitted to log in'),
    ("3D000", 'database "shop" does not exist'),
    ("42501", 'permission denied for database "shop"'),
    ("42704", 'unrecognized configuration parameter "transaction_timeout"'),
    ("22023", 'invalid value for parameter "lock_timeout": "soon"'),
    ("08P01", "unsupported startup parameter in options: row_security"),
]


@contextmanager
def refusing(code: str, message: str) -> Iterator[Source]:
    """A server that answers every session with this error, in PostgreSQL's protocol."""
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message}
    body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items()) + b"\0"

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
            self.request.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        at = f"127.0.0.1:{server.server_address[1]}"
        yield Source(f"postgresql://reader@{at}/shop?sslmode=disable&gssencmode=disable")
        server.shutdown()


@pytest.mark.parametrize("connect", [Source.connect, Source.connect_adbc])
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [(*said, TransientError) for said in PASSES] + [(*said, PermanentError) for said in STAYS],
)
def test_a_refusal_is_tried_again_unless_someone_has_to_correct_something(
    code: str, message: str, kind: type[DaybreakError], connect: Callable[[Source], object]
) -> None:
    with refusing(code, message) as source, pytest.raises(DaybreakError) as refused:
        connect(source)
    assert type(refused.value) is kind
    assert message in str(refused.value)
