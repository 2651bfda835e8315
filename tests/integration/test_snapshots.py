"""Sources that are not one primary: a standby, and two servers behind one balancer."""

import logging
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tasks.analyze import analyze
from tasks.config import Config
from tasks.errors import ConfigError, PermanentError
from tasks.source import embedded
from tests.conftest import ROOT, Sync
from tests.interference import balance
from tests.warehouses import Copy

STANDBY = """
import sys
from pathlib import Path
import psycopg
from tasks.source import embedded
embedded.SETTINGS = (*embedded.SETTINGS, "max_wal_senders=1", "wal_level=replica")
with psycopg.connect(embedded.start(Path(sys.argv[1])), autocommit=True) as primary:
    primary.execute("create table t (id int primary key, at timestamptz default now())")
    primary.execute("insert into t select generate_series(1, 1000)")
"""
MORE_ON_THE_PRIMARY = "insert into t select generate_series(1001, 1500)"
BY_CURSOR = {"name": "t", "mode": "incremental", "cursor": "at"}


@pytest.fixture
def standby_url(open_path: Path) -> Iterator[str]:
    """A standby whose primary is gone; it holds a table of 1,000 rows."""
    subprocess.run([sys.executable, "-c", STANDBY, open_path], cwd=ROOT, check=True, timeout=120)
    (open_path / "data" / "standby.signal").touch()
    yield embedded.start(open_path)
    embedded._leave(open_path)


@pytest.fixture
def balanced_url(open_path: Path) -> Iterator[str]:
    """A balancer before a primary with 1,500 rows and a standby that is 500 behind."""
    primary, standby = open_path / "primary", open_path / "standby"
    subprocess.run([sys.executable, "-c", STANDBY, primary], cwd=ROOT, check=True, timeout=120)
    subprocess.run(["cp", "-a", primary, standby], check=True)
    (standby / "data" / "standby.signal").touch()
    urls = [embedded.start(primary), embedded.start(standby)]
    with psycopg.connect(urls[0], autocommit=True) as server:
        server.execute(MORE_ON_THE_PRIMARY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=balance, args=(listener, urls), daemon=True).start()
        yield f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/postgres"
        listener.shutdown(socket.SHUT_RDWR)
    for folder in (primary, standby):
        embedded._leave(folder)
        shutil.rmtree(folder, ignore_errors=True)


def copied(warehouse: Copy) -> int:
    """How many rows the copy has, each once."""
    [(rows, distinct)] = warehouse("select count(*), count(distinct id) from raw.t")
    assert rows == distinct
    return int(rows)


def test_a_standby_needs_a_lag_that_somebody_wrote_and_is_read_like_any_source(
    standby_url: str, sync: Sync, warehouse: Copy
) -> None:
    with pytest.raises(ConfigError, match=r"is a standby.*Read from the primary, or write a lag"):
        sync(BY_CURSOR, url=standby_url)
    for _ in range(2):
        sync({**BY_CURSOR, "lag": "1h"}, url=standby_url)
    assert copied(warehouse) == 1000


def test_a_standby_is_analysed_and_said_to_be_one(standby_url: str) -> None:
    config = Config.model_validate({"source": {"url": standby_url}, "tables": [{"name": "any"}]})
    found = analyze.fn(config, None, whole=False)
    assert "a standby" in found.about
    [table] = found.advices
    assert table.settings == {"name": "t", "mode": "full_refresh"}


def test_a_table_behind_a_balancer_is_one_instant_of_one_server_and_the_log_says_so(
    balanced_url: str, sync: Sync, warehouse: Copy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "daybreak"):
        sync({"name": "t"}, url=balanced_url)
    assert copied(warehouse) in (1000, 1500)
    assert "each table is read by one stream, at an instant of its own" in caplog.text


def test_a_watermark_behind_a_balancer_needs_a_lag_that_somebody_wrote(
    balanced_url: str, sync: Sync, warehouse: Copy
) -> None:
    with pytest.raises(ConfigError, match=r"snapshot can't be shared.*URL lead to the primary"):
        sync(BY_CURSOR, url=balanced_url)
    for _ in range(3):
        sync({**BY_CURSOR, "lag": "1h"}, url=balanced_url)
        assert copied(warehouse) in (1000, 1500)


def test_a_pooler_that_drops_a_sessions_settings_is_refused_with_the_remedy(
    source_url: str, sync: Sync
) -> None:
    """Without them row-level security would hide rows, and the server's zone spell values."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(
            target=balance, args=(listener, [source_url], b"options"), daemon=True
        ).start()
        port = listener.getsockname()[1]
        url = f"postgresql://postgres@127.0.0.1:{port}/{conninfo_to_dict(source_url)['dbname']}"
        with pytest.raises(PermanentError, match=r"drops.*row_security.*pooler"):
            sync({"name": "t"}, url=f"{url}?sslmode=disable&gssencmode=disable")
        listener.shutdown(socket.SHUT_RDWR)
