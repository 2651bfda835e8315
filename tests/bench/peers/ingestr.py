"""ingestr, by its command line."""

import os
import subprocess
import sys
import time
from pathlib import Path

url, relation, file = sys.argv[1:]
started = time.perf_counter()
command = [str(Path(sys.executable).with_name("ingestr")), "ingest", "--yes"]
source = ["--source-uri", f"{url}&sslmode=disable", "--source-table", relation]
target = ["--dest-uri", f"duckdb:///{file}", "--dest-table", "main.copied"]
quiet = {**os.environ, "DISABLE_TELEMETRY": "true"}
subprocess.run(command + source + target, env=quiet, stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - started)
