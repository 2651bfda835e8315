"""Tables that nobody here designed: pgbench's, and public data sets that ship in a package."""

import subprocess
from pathlib import Path

import psycopg
import pytest
from vega_datasets import local_data

from tasks.source.embedded import programs
from tests.compare import assert_copied
from tests.conftest import SNOWFLAKE_IN_LONG, Run, Write, says
from tests.warehouses import Copy

pytestmark = SNOWFLAKE_IN_LONG
PUBLIC = {
    "airports": "iata text primary key, name text not null, city text, state text, country text,"
    " latitude numeric(11,8), longitude double precision",
    "la_riots": "first_name text, last_name text, age int, gender text, race text, death_date date,"
    " address text, neighborhood text, type text, longitude numeric, latitude numeric",
    "stocks": "symbol varchar(5), date date, price numeric(8,2), primary key (symbol, date)",
    "sf_temps": "temp real, date timestamp",
    "seattle_weather": "date date primary key, precipitation numeric(5,1), temp_max float8,"
    " temp_min float8, wind numeric(4,1), weather text not null",
    "iowa_electricity": "year date, source text, net_generation bigint, primary key (year, source)",
}


def pgbench(url: str, *arguments: str) -> None:
    """Runs the pgbench that comes with the embedded server."""
    command = [str(programs() / "pgbench"), *arguments, url]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.mark.long
def test_all_tables_of_pgbench_are_copied_as_they_are_before_and_after_its_load(
    source_url: str, config_file: Write, run_daily: Run, warehouse: Copy
) -> None:
    names = ["accounts", "branches", "history", "tellers"]
    config = config_file([{"name": f"pgbench_{name}"} for name in names])
    for history, load in (
        (0, ["--initialize", "--scale=1"]),
        (400, ["--client=2", "--transactions=200"]),
    ):
        pgbench(source_url, *load)
        says(run_daily("--config", config, "--skip-dbt"), 0)
        copied = [assert_copied(source_url, f"pgbench_{name}", warehouse) for name in names]
        assert copied == [100_000, 1, history, 10]


@pytest.fixture
def public_tables(source: psycopg.Connection) -> list[str]:
    """Makes and fills one table a data set; returns their names."""
    for name, columns in PUBLIC.items():
        source.execute(f"create table {name} ({columns})".encode())
        file = Path(getattr(local_data, name).filepath)
        with source.cursor().copy(f"copy {name} from stdin (format csv, header)".encode()) as copy:
            copy.write(file.read_bytes())
    return [*PUBLIC]


def test_public_data_sets_are_copied_as_they_are(
    public_tables: list[str], source_url: str, config_file: Write, run_daily: Run, warehouse: Copy
) -> None:
    config = config_file([{"name": name} for name in public_tables])
    says(run_daily("--config", config, "--skip-dbt"), 0)
    rows = [assert_copied(source_url, name, warehouse) for name in PUBLIC]
    assert rows == [3376, 63, 560, 8759, 1461, 51]
