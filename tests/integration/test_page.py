"""The report page after real nights, in a real browser."""

import os
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT, SNOWFLAKE_IN_LONG, Night, Run, Write, says
from tests.warehouses import Copy

CHROMIUM = shutil.which("chromium")
OFFLINE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=20000",
)

#: Has axe-core write what it finds against a page's accessibility at its end.
AUDIT = f"""<script>{(files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")}</script>
<script>axe.run().then(found => document.body.insertAdjacentHTML("beforeend",
  "<pre>" + JSON.stringify(found.violations.map(each => each.id)) + "</pre>"))</script>"""


@SNOWFLAKE_IN_LONG
def test_a_night_writes_the_page_with_the_ledgers_figures(
    source: psycopg.Connection, config_file: Write, run_daily: Run, warehouse: Copy, tmp_path: Path
) -> None:
    source.execute("create table t (id int primary key)")
    source.execute("insert into t select generate_series(1, 4321)")
    config = config_file([{"name": "t", "rules": {"range": {"id": {"max": 4300}}}}])
    done = run_daily("--config", config, "--skip-dbt", cwd=tmp_path)
    says(done, 0, "report   .daybreak/report/index.html")
    said = (tmp_path / ".daybreak" / "report" / "index.html").read_text()
    [(published, dead)] = warehouse("select rows_published, rows_dead_lettered from raw.sync_runs")
    assert f"{published:,} rows published" in said
    assert f"{dead} dead letters open" in said
    if CHROMIUM:
        opened = in_browser(said, tmp_path)
        assert f"{published:,} rows published" in opened.stdout
        assert "CONSOLE" not in opened.stderr
        assert "<pre>[]</pre>" in in_browser(said + AUDIT, tmp_path).stdout
    elif os.environ.get("CI"):
        pytest.fail("Chromium is not there: apt-get install chromium")


def test_every_query_of_the_readme_runs_after_a_night(
    source: psycopg.Connection, config_file: Write, night: Night, warehouse: Copy
) -> None:
    source.execute("create table t (id int primary key)")
    night(config_file([{"name": "t"}]))
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    queries = [each for each in ";".join(blocks).split(";") if "select" in each]
    assert len(queries) >= 5
    for query in queries:
        warehouse(query)


def in_browser(page: str, home: Path) -> subprocess.CompletedProcess[str]:
    """What Chromium makes of a page without any network, and what its console said."""
    file = home / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [str(CHROMIUM), *OFFLINE, f"--user-data-dir={home}/chromium", "--dump-dom"]
    return subprocess.run(
        [*command, file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
