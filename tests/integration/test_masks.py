"""Masked columns: nothing that a night writes holds what was masked."""

import hashlib
import hmac
from pathlib import Path

import psycopg

from tests.conftest import ON_BOTH, Run, Write, says
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
