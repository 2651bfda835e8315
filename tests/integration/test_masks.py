"""Masked columns: nothing that a night writes holds what was masked."""

import hashlib
import hmac
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psycopg
import pytest
from prefect.logging.handlers import APILogHandler

from tasks.errors import SyncFailed
from tests.conftest import ON_BOTH, Night, Run, Write, says
from tests.warehouses import Copy

KEY = "a key for these tests"
SECRETS = ("ann.lee@planted.example", "4111222233334444", "planted-phone", "planted-note", "987654")
TABLE = {
    "name": "people",
    "mode": "incremental",
    "cursor": "updated_at",
    "columns": {
        "mask": {
            "email": "hmac_sha256",
            "card": "partial",
            "phone": "redact",
            "note": "drop",
            "salary": "redact",
        },
        "mask_key": "${MASK_KEY}",
    },
    "rules": {"not_null": ["city"]},
    "breaker": {"max_dead_letter_ratio": 1},
}


@ON_BOTH
def test_no_byte_that_a_night_writes_holds_a_masked_value(
    source: psycopg.Connection,
    config_file: Write,
    run_daily: Run,
    warehouse: Copy,
    tmp_path: Path,
) -> None:
    source.execute(
        "create table people (id int primary key, email text, card varchar(20), phone text,"
        " note text, salary int, city text, updated_at timestamptz default now())"
    )
    for number, city in ((1, "Bonn"), (2, None)):
        source.execute(
            "insert into people values (%s, %s, %s, %s, %s, %s, %s)", [number, *SECRETS, city]
        )
    done = run_daily("--config", config_file([TABLE]), "--skip-dbt", environment={"MASK_KEY": KEY})
    says(done, 0, "people: 1 rows published, 1 dead letters")
    hashed = hmac.new(KEY.encode(), SECRETS[0].encode(), hashlib.sha256).hexdigest()
    assert warehouse("select email, card, phone, salary from raw.people") == [
        (hashed, "************4444", "***", "***")
    ]
    [(record,)] = warehouse("select record from raw.dead_letters")
    assert hashed in record
    written = [done.stdout, done.stderr, *map(str, warehouse("select * from raw.dead_letters"))]
    everything = "".join(written).encode() + b"".join(
        file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )
    for secret in (*SECRETS, KEY):
        assert secret.encode() not in everything


def test_another_mask_or_key_masks_the_whole_table_anew(
    source: psycopg.Connection, config_file: Write, run_daily: Run, warehouse: Copy
) -> None:
    source.execute("create table people (id int primary key, email text, updated_at timestamptz)")
    source.execute("insert into people values (1, 'a@b.c', now() - interval '1 day')")
    table = {"name": "people", "mode": "incremental", "cursor": "updated_at"}
    seen = []
    for columns, key in (
        ({}, ""),
        ({"mask": {"email": "hmac_sha256"}, "mask_key": "${MASK_KEY}"}, KEY),
        ({"mask": {"email": "hmac_sha256"}, "mask_key": "${MASK_KEY}"}, KEY[::-1]),
    ):
        path = config_file([{**table, "columns": columns}])
        says(run_daily("--config", path, "--skip-dbt", environment={"MASK_KEY": key}), 0)
        seen += warehouse("select email from raw.people")
    assert len(set(seen)) == 3


def test_nothing_that_nights_keep_of_bad_rows_holds_a_masked_value(
    source: psycopg.Connection,
    config_file: Write,
    night: Night,
    warehouse: Copy,
    prefect_api: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MASK_KEY", KEY)
    # Staging files stay where they were written.
    monkeypatch.setattr("tasks.transfer.files.shutil.rmtree", lambda *_, **__: None)
    source.execute(
        "create table people (id int, email text, card varchar(20), phone text, note text,"
        " salary int, city text, size int, born date, updated_at timestamptz default now())"
    )
    source.execute(
        "insert into people select g, %s, %s, %s, %s, %s, case mod(g, 3) when 0 then 'Bonn' end, g,"
        " case mod(g, 2) when 1 then 'infinity'::date end from generate_series(0, 149) g",
        SECRETS,
    )
    rules = {
        "not_null": ["city", "email"],
        "range": {"size": {"max": 100}},
        "regex": {"city": "^B"},
        "expression": {"sized": "size < 50 or city = 'Bonn'"},
    }
    # Without a key, a sample is the whole row.
    table = {"name": "people", "columns": TABLE["columns"], "rules": rules}
    folder = {"dead_letters": {"path": str(tmp_path / "letters")}, "defaults": {"retries": 0}}
    night(config_file([{**table, "breaker": {"max_dead_letter_ratio": 1}}], **folder))
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "broke a rule.*such as"),
        ({"breaker": {"max_dead_letter_ratio": 1, "max_null_ratio": 0}}, "is NULL in .*such as"),
        ({"unrepresentable": "fail"}, "born .*infinity"),
    ]
    for broken, told in refused:
        with pytest.raises(SyncFailed, match=told):
            night(config_file([{**table, **broken}], **folder))
    written = [*capfd.readouterr()]
    files = [*tmp_path.rglob("*.parquet")]
    assert {"rows", "letters"} <= {file.parent.name for file in files}
    written += [str(pl.read_parquet(file).rows()) for file in files]
    tables = warehouse(
        "select table_name from information_schema.tables where table_schema = 'raw'"
    )
    written += [str(warehouse(f"select * from raw.{name}")) for (name,) in tables]
    kept = "".join(kept_by_prefect(prefect_api))
    assert "133 of 150 rows broke a rule" in kept
    assert '"rows_dead_lettered":133' in kept.replace(" ", "").replace("\\", "")
    written.append(kept)
    for secret in (*SECRETS, KEY):
        assert [each for each in written if secret in each] == []


def kept_by_prefect(api: str) -> list[str]:
    """Every log line, artifact and state that the server keeps."""
    APILogHandler().flush()
    pages = []
    for kind in ("logs", "artifacts", "flow_runs", "task_runs"):
        for offset in count(step=200):
            page = httpx.post(f"{api}/{kind}/filter", json={"limit": 200, "offset": offset}).text
            if page == "[]":
                break
            pages.append(page)
    return pages
