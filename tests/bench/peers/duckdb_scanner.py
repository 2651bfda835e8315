"""DuckDB's own PostgreSQL scanner: no staging, no audit, no ledger."""

import sys
import time
from pathlib import Path

import duckdb
import duckdb_extension_postgres_scanner as scanner

url, relation, file = sys.argv[1:]
started = time.perf_counter()
extension = next(Path(scanner.__file__).parent.rglob("*.duckdb_extension"))
with duckdb.connect(file, config={"allow_unsigned_extensions": True}) as session:
    session.execute(f"load '{extension}'")
    session.execute(f"attach '{url}' as source (type postgres, read_only)")
    session.execute(f"create table copied as select * from source.{relation}")
print(time.perf_counter() - started)
