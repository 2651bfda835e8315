"""What nights tell of lineage: assets to Prefect, run events to OpenLineage."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.errors import ConfigError, SyncFailed
from tests.assets import FAILED, related, told
from tests.conftest import ON_BOTH, SNOWFLAKE_IN_LONG, Night, Run, Write, says
from tests.openlineage import wrong
from tests.receivers import Quiet, answering
from tests.warehouses import Copy

Event = dict[str, Any]
FRUIT = """
create table fruit (id int primary key, name varchar(20), price numeric(6,2), secret text);
insert into fruit values (1, 'apple', 1.50, 'hush'), (2, 'pear', 2, null), (3, null, null, null)
"""
TABLE = {
    "name": "fruit",
    "columns": {"mask": {"secret": "redact"}},
    "rules": {"not_null": ["name"]},
    "breaker": {"max_dead_letter_ratio": 1},
}


@dataclass
class Endpoint:
    """An OpenLineage server's address, and what it was sent."""

    url: str
    events: list[Event] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def endpoint(status: int = 200) -> Iterator[Endpoint]:
    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.events.append(json.loads(body))
            taken.headers.append(dict(self.headers))
            self.send_response(status)
            self.end_headers()

    with answering(Handler) as port:
        taken = Endpoint(f"http://127.0.0.1:{port}")
        yield taken


@pytest.fixture
def fruit(source: psycopg.Connection) -> psycopg.Connection:
    source.execute(FRUIT)
    return source


def read(path: Path) -> list[Event]:
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [complaint for event in events for complaint in wrong(event)] == []
    return events


def kinds(events: list[Event]) -> list[str]:
    return [event["eventType"] for event in events]


@ON_BOTH
def test_a_night_tells_what_it_read_and_wrote_with_schema_and_rows(
    fruit: psycopg.Connection, night: Night, config_file: Write, warehouse: Copy, tmp_path: Path
) -> None:
    path = tmp_path / "told" / "events.jsonl"
    night(config_file([TABLE], lineage={"path": str(path)}))
    start, complete = events = read(path)
    assert kinds(events) == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert start["job"] == complete["job"]
    [(run_id,)] = warehouse("select run_id from raw.sync_runs")
    assert complete["run"]["facets"]["parent"]["run"]["runId"] == str(run_id)

    [given], [copied] = complete["inputs"], complete["outputs"]
    assert given["namespace"] == "postgres://localhost:5432"
    assert given["name"] == f"{fruit.info.dbname}.public.fruit"
    assert copied["name"].endswith("raw.fruit")
    assert copied["namespace"].split("://")[0] == warehouse.settings["kind"]
    assert given["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert copied["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert "inputStatistics" not in start["inputs"][0]["inputFacets"]

    columns = [(each["name"], each["type"]) for each in given["facets"]["schema"]["fields"]]
    assert columns == [
        ("id", "integer"),
        ("name", "character varying(20)"),
        ("price", "numeric(6,2)"),
        ("secret", "text"),
    ]
    there = [each["name"] for each in copied["facets"]["schema"]["fields"]]
    assert there == ["id", "name", "price", "secret", "_synced_at", "_run_id"]
    origins = copied["facets"]["columnLineage"]["fields"]
    masked = {
        name: one["inputFields"][0]["transformations"][0]["masking"]
        for name, one in origins.items()
    }
    assert [mistake for mistake in MISTAKES if not wrong(complete | mistake)] == []
    assert masked == {"id": False, "name": False, "price": False, "secret": True}


#: Each is one against the specification.
MISTAKES: list[Event] = [
    {"eventTime": "2026-11-26 04:00"},
    {"eventType": "DONE"},
    {"producer": "no uri"},
    {"run": {"runId": "1"}},
    {"job": {"name": "nameless"}},
    {"inputs": [{"namespace": "n", "name": "n", "facets": {"schema": {"fields": []}}}]},
]


def test_a_table_that_fails_tells_why_and_a_table_that_gives_way_is_aborted(
    fruit: psycopg.Connection, night: Night, config_file: Write, tmp_path: Path
) -> None:
    fruit.execute("create table bad as select null::int as id from generate_series(1, 200)")
    path = tmp_path / "events.jsonl"
    tables = [TABLE, {"name": "bad", "breaker": {"max_null_ratio": 0.5}}]
    with pytest.raises(SyncFailed):
        night(config_file(tables, publish="together", lineage={"path": str(path)}))
    ends = {event["job"]["name"].rsplit(".", 1)[1]: event for event in read(path)[2:]}
    assert ends["fruit"]["eventType"] == "ABORT"
    assert ends["bad"]["eventType"] == "FAIL"
    message = ends["bad"]["run"]["facets"]["errorMessage"]["message"]
    assert message.startswith("bad: ")
    assert "id is NULL" in message or "max_null_ratio" in message
    assert "stackTrace" not in ends["bad"]["run"]["facets"]["errorMessage"]


def test_tables_that_are_published_together_are_each_told_whole(
    fruit: psycopg.Connection, night: Night, config_file: Write, tmp_path: Path
) -> None:
    fruit.execute("create table seeds as select 1 as id")
    path = tmp_path / "events.jsonl"
    night(config_file([TABLE, {"name": "seeds"}], publish="together", lineage={"path": str(path)}))
    events = read(path)
    assert sorted(kinds(events)) == ["COMPLETE", "COMPLETE", "START", "START"]
    assert {len(event["inputs"]) for event in events} == {1}
    assert len({event["run"]["runId"] for event in events}) == 2


def test_a_server_is_told_over_http_and_its_key_stands_in_no_event(
    fruit: psycopg.Connection,
    night: Night,
    config_file: Write,
    source_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "OPENLINEAGE__TRANSPORT__AUTH", json.dumps({"type": "api_key", "apiKey": "opensesame"})
    )
    fruit.execute("alter role postgres password 'swordfish'")
    with endpoint() as server:
        path = config_file([TABLE], lineage={"url": server.url})
        monkeypatch.setenv("SOURCE_URL", source_url.replace("postgres@", "postgres:swordfish@"))
        night(path)
    assert kinds(server.events) == ["START", "COMPLETE"]
    assert [complaint for event in server.events for complaint in wrong(event)] == []
    assert {each["Authorization"] for each in server.headers} == {"Bearer opensesame"}
    said = json.dumps(server.events)
    assert not [secret for secret in ("opensesame", "swordfish", "hush") if secret in said]


@pytest.mark.parametrize(
    "how", ["nobody listens", "it answers 500", "a file that can't be written"]
)
def test_an_endpoint_that_is_down_costs_one_line_and_not_the_night(
    how: str, fruit: psycopg.Connection, config_file: Write, run_daily: Run
) -> None:
    fruit.execute("create table seeds as select 1 as id; create table leaves as select 1 as id")
    tables = [TABLE, {"name": "seeds"}, {"name": "leaves"}]
    with endpoint(500) as server:
        where = {
            "nobody listens": {"url": "http://127.0.0.1:1"},
            "it answers 500": {"url": server.url},
            "a file that can't be written": {"path": "/dev/null/events.jsonl"},
        }[how]
        done = run_daily("--config", config_file(tables, lineage=where), "--skip-dbt")
    says(done, 0, "fruit: 2 rows published", "seeds: 1 rows", "leaves: 1 rows")
    assert (done.stdout + done.stderr).count("OpenLineage") == 1
    assert len(server.events) <= len(tables), "what was on its way when the first failed"


@SNOWFLAKE_IN_LONG
def test_each_copy_is_an_asset_that_comes_from_its_postgresql_table(
    fruit: psycopg.Connection,
    run_daily: Run,
    config_file: Write,
    warehouse: Copy,
    prefect_api: str,
) -> None:
    table = f"fruit_{uuid.uuid4().hex[:8]}"
    fruit.execute(f"alter table fruit rename to {table}".encode())
    run_daily("--config", config_file([TABLE | {"name": table}]), "--skip-dbt")
    kind = warehouse.settings["kind"]
    database = warehouse.settings.get("database", "warehouse")
    [event] = told(prefect_api, f"{kind}://{database}/raw/{table}")
    upstream = f"postgresql://localhost/{fruit.info.dbname}/public/{table}"
    assert related(event, "asset") == {upstream}
    assert related(event, "asset-materialized-by") == {"daybreak"}
    assert related(event, "flow-run")
    assert event["payload"]["rows_published"] == 2
    [_] = told(prefect_api, upstream, "prefect.asset.referenced")


def test_a_copy_that_could_not_be_published_is_an_asset_that_failed(
    fruit: psycopg.Connection, run_daily: Run, config_file: Write, prefect_api: str
) -> None:
    table = f"fruit_{uuid.uuid4().hex[:8]}"
    fruit.execute(f"alter table fruit rename to {table}".encode())
    config = config_file([TABLE | {"name": table, "breaker": {"min_rows": 100}}])
    says(run_daily("--config", config), 1, "min_rows")
    [_] = told(prefect_api, f"duckdb://warehouse/raw/{table}", FAILED)


def test_names_that_no_asset_may_have_do_not_stop_a_night(
    source: psycopg.Connection, night: Night, config_file: Write, warehouse: Copy
) -> None:
    source.execute('create table "50% <off> & more #1" as select 1 as id')
    night(config_file([{"name": "50% <off> & more #1"}]))
    assert warehouse('select id from raw."50% <off> & more #1"') == [(1,)]


@pytest.mark.parametrize(
    ("lineage", "expected"),
    [
        ({}, "exactly one of path and url"),
        ({"path": "a", "url": "http://a"}, "exactly one of path and url"),
        ({"url": "http://me:hush@a"}, "without login"),
        ({"url": "http://a?key=hush"}, "without login and query"),
        ({"url": "a"}, "URL"),
    ],
)
def test_a_place_that_is_none_is_refused_without_its_secret(
    lineage: dict[str, str], expected: str, night: Night, config_file: Write
) -> None:
    with pytest.raises(ConfigError, match=expected) as refused:
        night(config_file([TABLE], lineage=lineage))
    assert "hush" not in str(refused.value)
