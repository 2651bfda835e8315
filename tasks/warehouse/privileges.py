"""What the role of a night must be allowed to do in Snowflake, each tried and taken back."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tasks.errors import DaybreakError, PermanentError
from tasks.warehouse.base import Warehouse
from tasks.warehouse.snowflake_names import quote, stored

TRIES = {
    "schema": "create schema {name}",
    "table": "create transient table {name} (id number(10, 0))",
    "stage": "create stage {name}",
    "view": "create view {name} as select 1 as id",
}


@dataclass(frozen=True)
class Probe:
    """A statement that needs a privilege, the one that undoes it, and the GRANT that allows it."""

    what: str
    statement: str
    undo: str
    grant: str

    def refusal(self, warehouse: Warehouse) -> str | None:
        """What Snowflake says against it; None when it is allowed."""
        try:
            warehouse.query(self.statement)
        except PermanentError as error:
            return error.message
        finally:
            with suppress(DaybreakError):
                warehouse.query(self.undo)
        return None


def probes(warehouse: Warehouse, raw_schema: str, dbt_schemas: list[str]) -> Iterator[Probe]:
    """Every privilege that a night needs.

    A schema that is not there is made by the run itself, which then owns it.
    """
    [(database, role, compute)] = warehouse.query(
        "select current_database(), current_role(), current_warehouse()"
    )
    yield Probe(
        f"run statements on the warehouse {compute}",
        "select count(*) from information_schema.tables",
        "select 1",
        f"GRANT USAGE ON WAREHOUSE {compute} TO ROLE {role};",
    )
    there = warehouse.query("select schema_name from information_schema.schemata")
    name = quote(f"daybreak_check_{uuid.uuid4().hex[:12]}")
    for schema in (raw_schema, *dbt_schemas):
        path = f"{quote(database)}.{quote(schema)}"
        if (stored(schema),) not in there:
            what = f"create the schema {path}"
            yield _creation(what, "schema", path, f"DATABASE {quote(database)}", role)
            continue
        for kind in ("table", "stage" if schema == raw_schema else "view"):
            what = f"create a {kind} in {path}"
            yield _creation(what, kind, f"{path}.{name}", f"SCHEMA {path}", role)


def _creation(what: str, kind: str, name: str, where: str, role: str) -> Probe:
    return Probe(
        what,
        TRIES[kind].format(name=name),
        f"drop {kind} if exists {name}",
        f"GRANT USAGE, CREATE {kind.upper()} ON {where} TO ROLE {role};",
    )
