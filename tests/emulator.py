"""A Snowflake for the tests: fakesnow behind HTTP, in a process of its own and kept in a folder.

The real connector talks to it. Killed and started again on the same folder, it holds what was
committed. What fakesnow 0.12.1 does otherwise than Snowflake is put right here, one function each:

- `_permanent` drops TEMPORARY where a name is qualified, since DuckDB keeps such tables elsewhere.
- `_merge_outside` runs a MERGE outside the open transaction, where fakesnow can't.
- `_snapshot_values` qualifies the values that dbt's snapshot inserts, which are ambiguous here.
- `_as_snowflake_says` answers every error as one of SQL; as HTTP 500 it would be retried for long.
- `_public` is the schema of a session that names none.
- `_exact_columns` compares the columns of a COPY as they are spelled, and quotes the table's name.
- `_remove` takes files off a stage.
- `current_warehouse()`, which it lacks, is DAYBREAK.
- `_no_text_lengths` keeps it from noting the lengths of columns, which breaks at an apostrophe and
  when two sessions do it at once.
- `_no_binary_lengths` takes the length off a column of BINARY, which it can't read.
- `_hexadecimal` reads a number from its hexadecimal digits, a format that fakesnow doesn't know.
- `_no_queries` is what the information schema tells of a user's queries, which it doesn't know.
- `_null_instants` keeps a NULL timestamp from being read as 1970.
- `_tried_casts` lets a TRY_CAST to a timestamp be NULL, which is a CAST there.
- `_created_now` dates tables, which all seem to be of 1970 else, to the moment of asking.
- `SKIPPED` statements succeed without doing anything.

Statements of a session run one after the other, as DuckDB needs. Every request for one is a line
of `statements.jsonl` in the folder, with the session's parameters; `emulator_faults.py` strikes
them. A killed server forgets which stages there were, but not their files.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from tests.emulator_faults import FAULT, STATEMENTS, Fault, Requests

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

COMMENT = r"\s*(?:/\*[\s\S]*?\*/\s*)?"
SKIPPED = [rf"{COMMENT}(?:alter\s+session|grant|revoke)\b"]
TEMPORARY = re.compile(r"(create\s+or\s+replace\s+)temp(?:orary)?\s+(?=table|view)", re.I)
BINARY = re.compile(r"\bbinary\(\d+\)")
HEXADECIMAL = re.compile(r"to_number\((left\(.*?, \d+\)), 'X+'\)")
OWN_QUERIES = re.compile(
    r"table\(information_schema\.query_history_by_user\(.*?result_limit => \d+\)\)", re.S
)
NO_QUERIES = """(select '' as query_id, '' as query_tag, current_timestamp() as start_time,
                        0 as execution_time, 0 as bytes_scanned where false)"""
REMOVE = re.compile(r"\s*remove\s+@(\S+)\s*", re.I)
MERGE = re.compile(rf"{COMMENT}merge\s+into\b", re.I)
SNAPSHOT_VALUES = re.compile(rf"(?<=values)\s*\(([^()]*)\)(?={COMMENT};?\s*$)", re.I)
LOCKED, NOT_COMPILED = 625, 1003


class Emulator:
    """The server's process `pid`; `port` answers on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        with (folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.emulator", folder],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.port = int(self._process.stdout.readline())

    def account(self) -> "Account":
        """An account whose database is new."""
        account = Account(self.port, f"T{uuid.uuid4().hex[:12].upper()}")
        account.query(f"create database {account.database}")
        account.query(f"create schema {account.database}.public")
        return account

    def strike(self, text: str, fault: Fault) -> None:
        """Has the fault happen to the next statement that begins so; `upload` means a file."""
        (self.folder / FAULT).write_text(json.dumps({"text": text, "fault": fault}))

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        self._process.kill()
        self._process.communicate()

    def statements(self) -> Iterator[dict[str, Any]]:
        """What clients asked for so far: sqlText, bindings and parameters of each statement."""
        for line in (self.folder / STATEMENTS).read_text().splitlines():
            yield json.loads(line)


@dataclass(frozen=True)
class Account:
    """A database of a test's own, and what a run needs to reach it."""

    port: int
    database: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SNOWFLAKE_ACCOUNT": "emulator",
            "SNOWFLAKE_USER": "daybreak",
            "SNOWFLAKE_PASSWORD": "hush",
            "SNOWFLAKE_ROLE": "DAYBREAK",
            "SNOWFLAKE_WAREHOUSE": "DAYBREAK",
            "SNOWFLAKE_DATABASE": self.database,
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(self.port),
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def connect(self, parameters: dict[str, Any] | None = None) -> "SnowflakeConnection":
        """A session of the real connector."""
        import snowflake.connector

        return snowflake.connector.connect(
            account="emulator",
            user="daybreak",
            password="hush",
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            database=self.database,
            session_parameters={"CLIENT_TELEMETRY_ENABLED": False, **(parameters or {})},
            autocommit=True,
            paramstyle="qmark",
            login_timeout=5,
            network_timeout=20,
            platform_detection_timeout_seconds=0,
        )

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement, run in a session of its own."""
        with self.connect() as session, session.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


def _serve(folder: Path) -> None:
    """The process: tells its port, serves, and ends when the parent's end of stdin closes."""
    import uvicorn
    from fakesnow.instance import FakeSnow
    from fakesnow.transforms import stage
    from starlette.applications import Starlette

    server: Any = import_module("fakesnow.server")  # a function of the package has the same name
    stage.LOCAL_BUCKET_PATH = str(folder / "bucket")
    _created_now()
    server.shared_fs = FakeSnow(db_path=folder, nop_regexes=SKIPPED)
    for file in folder.glob("*.db"):
        server.shared_fs.connect(file.stem).close()
    server.shared_fs.create_database_on_connect = False
    server.shared_fs.create_schema_on_connect = False
    server.shared_fs.connect = _public(server.shared_fs.connect)
    for shim in (_shim_cursor, _exact_columns, _no_text_lengths, _null_instants, _tried_casts):
        shim()
    routes = [*Requests(server, folder).routes(), *server.routes]
    # Only a socket that is named TCP gets TCP_NODELAY; else each answer waits 40 ms for an ACK.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = uvicorn.Config(Starlette(routes=routes), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _shim_cursor() -> None:
    from fakesnow.cursor import FakeSnowflakeCursor

    execute = FakeSnowflakeCursor.execute

    def shimmed(self: FakeSnowflakeCursor, command: str, *values: Any, **options: Any) -> Any:
        command = _remove(self, _snapshot_values(_permanent(command)))
        command = _no_binary_lengths(command.replace("current_warehouse()", "'DAYBREAK'"))
        command = _no_queries(_hexadecimal(command))
        outside = _merge_outside(self) if MERGE.match(command) else nullcontext()
        with _as_snowflake_says(), outside:
            return execute(self, command, *values, **options)

    FakeSnowflakeCursor.execute = shimmed  # type: ignore[method-assign]


def _permanent(command: str) -> str:
    return TEMPORARY.sub(r"\1", command)


def _no_binary_lengths(command: str) -> str:
    return BINARY.sub("binary", command)


def _hexadecimal(command: str) -> str:
    return HEXADECIMAL.sub(r"cast('0x' || \1 as bigint)", command)


def _snapshot_values(command: str) -> str:
    source = "DBT_INTERNAL_SOURCE"
    if not MERGE.match(command) or source not in command:
        return command

    def qualified(found: re.Match[str]) -> str:
        names = (name.strip() for name in found[1].split(","))
        return f" ({', '.join(f'{source}.{name}' for name in names)})"

    return SNAPSHOT_VALUES.sub(qualified, command)


def _no_queries(command: str) -> str:
    return OWN_QUERIES.sub(NO_QUERIES, command)


def _remove(cursor: Any, command: str) -> str:
    from fakesnow.transforms import stage

    if (found := REMOVE.fullmatch(command)) is None:
        return command
    name, _, path = found[1].partition("/")
    parts = stage.parts_from_var(name, cursor._conn.database, cursor._conn.schema)
    shutil.rmtree(stage.internal_dir(".".join(parts), path), ignore_errors=True)
    return "select 'removed' as result"


@contextmanager
def _merge_outside(cursor: Any) -> Iterator[None]:
    session = cursor._duck_conn
    # Its temporary table wants a schema, and the session's may have been dropped.
    cursor._conn._schema = cursor._conn._schema or "PUBLIC"
    try:
        session.execute("commit")
        is_open = True
    except duckdb.TransactionException:
        is_open = False
    try:
        yield
    finally:
        if is_open:
            session.execute("begin")


@contextmanager
def _as_snowflake_says() -> Iterator[None]:
    from snowflake.connector.errors import Error, ProgrammingError

    try:
        yield
    except Error:
        raise
    except Exception as error:
        number = LOCKED if isinstance(error, duckdb.TransactionException) else NOT_COMPILED
        raise ProgrammingError(repr(error), errno=number, sqlstate="42000") from None


def _exact_columns() -> None:
    from fakesnow import copy_into

    def columns(
        table: Any, session: duckdb.DuckDBPyConnection, database: str, schema: str
    ) -> list[str]:
        found = session.execute(
            "select column_name from duckdb_columns()"
            " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
            [table.catalog or database, schema, table.name],
        )
        return [name for (name,) in found.fetchall()]

    copy_into._get_table_columns = columns  # type: ignore[assignment]


def _public(connect: Callable[..., Any]) -> Callable[..., Any]:
    def in_schema(database: str | None, schema: str | None, **options: Any) -> Any:
        return connect(database, schema or "PUBLIC", **options)

    return in_schema


def _no_text_lengths() -> None:
    from fakesnow import info_schema

    info_schema.insert_text_lengths_sql = lambda *_: "select 1"


def _null_instants() -> None:
    from fakesnow import arrow

    to_struct = arrow.timestamp_to_sf_struct

    def with_nulls(instants: pa.ChunkedArray) -> pa.StructArray:
        struct = to_struct(instants)
        missing = instants.combine_chunks().is_null()
        return pa.StructArray.from_arrays(struct.flatten(), fields=[*struct.type], mask=missing)

    arrow.timestamp_to_sf_struct = with_nulls  # type: ignore[assignment]


def _tried_casts() -> None:
    from fakesnow import transforms
    from sqlglot import exp

    to_timestamp = transforms.to_timestamp

    def tried(expression: exp.Expr) -> exp.Expr:
        return expression if isinstance(expression, exp.TryCast) else to_timestamp(expression)

    transforms.to_timestamp = tried


def _created_now() -> None:
    from fakesnow import info_schema

    view = info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW
    info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW = Template(
        view.template.replace("to_timestamp(0)", "current_timestamp")
    )


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
