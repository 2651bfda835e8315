"""Every type there is, with its hostile values: what arrives is what PostgreSQL has."""

import json
from collections import Counter

import psycopg

from docs.rules import RULES
from tests import values
from tests.arrivals import Cell, differences, make
from tests.conftest import ON_BOTH, Sync
from tests.values import SET_UP, UNFIT, UNFIT_IN_SNOWFLAKE, UNTRUE_IN_EMULATOR, VALUES
from tests.warehouses import Copy, SnowflakeCopy

TABLE = {"name": "t", "breaker": {"max_dead_letter_ratio": 1, "max_shrink_ratio": 1}}
COMPOSITES = {"address", "trip", "leg", "tree", "event", "matrix", "home"}
# PostgreSQL can't read these back, though JSON tells all of them; a null is always NULL to it.
NOT_READ_BACK = {"hstore[]", "matrix[]", "json[]", "jsonb[]"}
LETTERS = "select row_key, column_name, value from raw.dead_letters"
STOCK = """
select typname from pg_type
where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm')
  and typcategory <> 'A' and oid <> all (%s::regtype[]::oid[])"""


def joined(*parts: dict[str, list[str]]) -> dict[str, list[str]]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [value for part in parts for value in part.get(name, [])] for name in names}


def cases(copy: Copy) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The values of each type that arrive in this warehouse, and those that don't fit."""
    if not isinstance(copy, SnowflakeCopy):
        return joined(VALUES, UNFIT_IN_SNOWFLAKE), UNFIT
    true = {
        name: [value for value in values if value not in UNTRUE_IN_EMULATOR.get(name, [])]
        for name, values in VALUES.items()
    }
    return true, joined(UNFIT, UNFIT_IN_SNOWFLAKE)


@ON_BOTH
def test_every_value_of_every_type_arrives_or_is_said_not_to_fit(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    fit, unfit = cases(warehouse)
    source.execute(SET_UP.encode())
    columns = joined(fit, unfit)
    make(source, columns.items())
    refused = {
        Cell(row, f"c{number}")
        for number, (name, values) in enumerate(columns.items())
        for row in range(len(fit[name]), len(values))
    }
    counts = Counter(cell.column for cell in refused)

    outcome = sync({**TABLE, "unrepresentable": "null"})
    found = differences(source, warehouse)
    assert {cell: (theirs, ours) for cell, (theirs, ours) in found.items() if ours} == {}
    assert found.keys() == refused
    told = json.loads(outcome.cells_unrepresentable or "")
    assert told == {column: {"null": count} for column, count in counts.items()}

    outcome = sync(TABLE)
    told = json.loads(outcome.cells_unrepresentable or "")
    assert told == {column: {"dead_letter": count} for column, count in counts.items()}
    assert outcome.rows_dead_lettered == len({cell.row for cell in refused})
    letters = {
        Cell(int(json.loads(key)["n"]), column): value for key, column, value in warehouse(LETTERS)
    }
    assert letters.keys() == refused
    for cell, value in letters.items():
        assert value in (found[cell][0], as_json(source, cell))


def as_json(source: psycopg.Connection, cell: Cell) -> str:
    """The value as it is read where JSON shows it."""
    query = f"select to_json({cell.column})::text from t where n = %s"
    [(text,)] = source.execute(query.encode(), [cell.row])
    return str(text)


def test_every_type_that_a_column_can_be_of_is_tried(source: psycopg.Connection) -> None:
    source.execute(SET_UP.encode())
    untried = {name for (name,) in source.execute(STOCK, [[*VALUES]])}
    assert untried == values.NO_INPUT | values.NOT_BUILT
    assert sum(map(len, joined(VALUES, UNFIT, UNFIT_IN_SNOWFLAKE).values())) >= 400


def test_types_that_have_no_values_are_copied_all_the_same(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    make(source, [(name, []) for name in sorted(values.NO_INPUT | values.NOT_BUILT)])
    sync(TABLE)
    assert differences(source, warehouse) == {}


def test_the_rules_of_the_readme_are_true(
    source: psycopg.Connection, sync: Sync, warehouse: Copy
) -> None:
    source.execute(SET_UP.encode())
    make(source, [(rule.type, [rule.value]) for rule in RULES])
    sync(TABLE)
    columns = ", ".join(f"c{number}::varchar" for number in range(len(RULES)))
    [copies] = warehouse(f"select {columns} from raw.t where n = 0")
    assert copies == tuple(rule.copy for rule in RULES)


def test_json_shows_all_there_is_of_an_array_or_a_composite(source: psycopg.Connection) -> None:
    source.execute(SET_UP.encode())
    names = [name for name in VALUES if name.endswith("[]") or name in COMPOSITES]
    shown = {name: VALUES[name] for name in names if name not in NOT_READ_BACK}
    make(source, shown.items())
    source.execute("create table back (like t)")
    made = "select made.* from t, json_populate_record(null::t, to_json(t)) made"
    source.execute(f"insert into back {made}".encode())
    for number, name in enumerate(shown):
        compared = f"select t.c{number}::text, back.c{number}::text from t join back using (n)"
        for theirs, back in source.execute(compared.encode()):
            assert back == theirs, name
