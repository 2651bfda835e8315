"""Dead-letter files: what is held back is kept in a folder or an object store."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from tasks.errors import DaybreakError, PermanentError, TransientError
from tasks.warehouse.ledger import Ledger
from tests.conftest import Sync
from tests.warehouses import Copy

TABLE = {
    "name": "t",
    "mode": "incremental",
    "cursor": "at",
    "rules": {"accepted": {"note": ["a"]}, "not_null": ["size"]},
    "breaker": {"max_dead_letter_ratio": 1},
}
MAKE = """
create table t (id int primary key, note text, size int, at timestamptz default now());
insert into t values (1, 'a', 1), (2, 'b', 2), (3, 'c', null);
"""
LETTERS = "select row_key, rule, column_name, value, record from raw.dead_letters"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a local S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket, to which the environment leads."""
    name = f"letters-{uuid4().hex[:8]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3}/{name}", method="PUT"))
    for variable, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hush",
    }.items():
        monkeypatch.setenv(variable, value)
    return f"s3://{name}"


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where letters go: a bucket or a folder."""
    root = tmp_path if request.param == "folder" else request.getfixturevalue("bucket")
    return f"{root}/of/nights"


@pytest.mark.parametrize(
    ("warehouse", "store"),
    [("duckdb", "folder"), ("duckdb", "bucket"), ("snowflake", "bucket")],
    indirect=True,
)
def test_a_file_holds_the_letters_of_an_attempt_and_where_they_come_from(
    store: str, source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(MAKE)
    parts = {"dead_letters": {"path": store}}
    sync(TABLE, parts=parts)
    assert warehouse("select id from raw.t") == [(1,)]
    [(run, attempt)] = warehouse("select run_id, attempt from raw.sync_runs")
    found = pl.read_parquet(f"{store}/t/*/*.parquet", include_file_paths="path")
    [path] = found["path"].unique()
    assert re.search(rf"/of/nights/t/\d{{4}}-\d\d-\d\d/{run}-{attempt}\.parquet$", path)
    origins = found.select("run_id", "table_name", "attempt").unique().rows()
    assert origins == [(run, "t", attempt)]
    kept = found.select("row_key", "rule", "column_name", "value", "record").rows()
    assert sorted(kept, key=str) == sorted(warehouse(LETTERS), key=str)
    assert len(kept) == 3
    source.execute("update t set note = 'a', size = 0")
    sync(TABLE, parts=parts)
    assert len(pl.read_parquet(f"{store}/t/*/*.parquet")) == 3


@pytest.mark.parametrize(
    ("where", "kind", "told"),
    [
        ("unreachable", TransientError, r"s3://letters-.*error sending request.*a retry may help"),
        ("missing", PermanentError, r"s3://nowhere-1: NoSuchBucket\..*dead_letters\.path"),
        ("a file", PermanentError, r"tables\.yaml: .*dead_letters\.path"),
    ],
)
def test_a_store_that_fails_stops_the_table_before_anything_is_published(
    where: str,
    kind: type[DaybreakError],
    told: str,
    bucket: str,
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE)
    with monkeypatch.context() as patch:
        if where == "unreachable":
            patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        nowhere = {"missing": "s3://nowhere-1", "a file": str(tmp_path / "tables.yaml")}
        with pytest.raises(kind, match=f"^t: Its dead letters can't be written to .*{told}"):
            sync(TABLE, parts={"dead_letters": {"path": nowhere.get(where, bucket)}})
    assert warehouse("select version, watermark from raw.sync_state") == [(0, None)]
    assert warehouse(LETTERS) == []
    assert sync(TABLE, parts={"dead_letters": {"path": bucket}}).rows_dead_lettered == 2
    assert len(warehouse(LETTERS)) == len(pl.read_parquet(f"{bucket}/t/*/*.parquet")) == 3


def test_a_publish_that_fails_has_written_the_file_before(
    source: psycopg.Connection,
    sync: Sync,
    warehouse: Copy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.execute(MAKE)
    parts = {"dead_letters": {"path": str(tmp_path / "letters")}}

    def fail(*_: object) -> None:
        raise TransientError("lost", remedy="")

    with monkeypatch.context() as patch, pytest.raises(TransientError):
        patch.setattr(Ledger, "close", fail)
        sync(TABLE, parts=parts)
    assert warehouse(LETTERS) == []
    [file] = (tmp_path / "letters").rglob("*.*")
    assert len(pl.read_parquet(file)) == 3
    sync(TABLE, parts=parts)
    assert len([*(tmp_path / "letters").rglob("*.parquet")]) == 2
