"""The demo's shop, in which a day passes between two nights."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

from tasks.source.embedded import start

SQL = Path(__file__).parents[2] / "deployments" / "demo"


@contextmanager
def night(directory: Path, *, scale: float = 1, bad_day: bool = False) -> Iterator[str]:
    """Yield the URL of the shop in `directory` as it is when a night's run begins.

    The first time the shop is seeded at `scale` (1 is 100,000 orders), later a day passes; a
    `bad_day` passes the first time too. A shopper's transaction stays open until the end, so its
    rows arrive after any snapshot taken inside. Raises PermanentError when the server can't start.
    """
    url = start(directory)
    if not seed(url, scale) or bad_day:
        pass_a_day(url, bad=bad_day)
    with late_shopper(url):
        yield url


def seed(url: str, scale: float) -> bool:
    """Create and fill the shop in one transaction unless it is there; say whether it was made."""
    with _connect(url) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('demo'))")
        found = connection.execute("select to_regclass('public.orders') is not null").fetchone()
        if found == (True,):
            return False
        connection.execute("select set_config('demo.scale', %s, true)", [str(scale)])
        for script in ("schema.sql", "shop.sql", "seed.sql"):
            connection.execute((SQL / script).read_bytes())
    return True


def pass_a_day(url: str, *, bad: bool = False) -> None:
    """Commit one day of trade; a `bad` one breaks what only a quality gate can see."""
    with _connect(url) as connection:
        connection.execute((SQL / "day.sql").read_bytes())
        if bad:
            connection.execute((SQL / "bad_day.sql").read_bytes())


@contextmanager
def late_shopper(url: str) -> Iterator[None]:
    """Hold a shopper's transaction open, and commit it whatever became of the run inside."""
    with closing(_connect(url)) as connection:
        connection.execute((SQL / "late.sql").read_bytes())
        try:
            yield
        finally:
            # Should the connection be gone, the shopper's purchase is lost and nothing else.
            with suppress(psycopg.OperationalError):
                connection.commit()


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, client_encoding="utf8", application_name="demo shop")
