"""dlt's sql_database source with its fastest backend."""

import shutil
import sys
import time
from pathlib import Path

import dlt
from dlt.sources.sql_database import sql_table

url, relation, file = sys.argv[1:]
started = time.perf_counter()
home = Path(file).with_suffix(".dlt")
shutil.rmtree(home, ignore_errors=True)
schema, table = relation.split(".")
pipeline = dlt.pipeline(
    "peer",
    destination=dlt.destinations.duckdb(file),
    dataset_name="raw",
    pipelines_dir=str(home),
)
rows = sql_table(credentials=url, table=table, schema=schema, backend="connectorx")
pipeline.run(rows, write_disposition="replace")
print(time.perf_counter() - started)
