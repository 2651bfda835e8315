"""The analysis of a source: every relation surveyed, judged, shown, and written as a file."""

import io
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.config import Config
from tasks.connect import limits, open_source
from tasks.errors import ConfigError, PermanentError
from tasks.logs import log
from tasks.source.demo import seed
from tasks.source.survey import Server, be_gentle, relations, server, survey
from tasks.transfer.advice import BYTES_A_SECOND, STORED, Advice, advise, hold_apart
from tasks.transfer.evidence import measures
from tasks.transfer.tables_yaml import tables_yaml

#: How many relations are surveyed between two lines of progress.
PROGRESS = 50
#: A password itself in a libpq URL or string, and no variable in its place.
PASSWORD = re.compile(r"://[^/@:]*:(?!\$\{[^}]*\}@)[^/]*@|password\s*=\s*(?!\$\{\w+\})")


@dataclass(frozen=True)
class Analysis:
    """What was found, the relations in the order of their names."""

    server: Server
    advices: list[Advice]

    @property
    def about(self) -> str:
        copied = sum(advice.settings is not None for advice in self.advices)
        where = self.server
        standby = f", a standby {where.replica_lag or 'of unknown lag'} behind" * where.standby
        return (
            f"{where.database} on PostgreSQL {where.version}{standby}: {copied:,} of"
            f" {len(self.advices):,} relations to copy"
        )


@task(name="analyze", cache_policy=NO_CACHE, persist_result=False)
def analyze(config: Config, schemas: list[str] | None, whole: bool) -> Analysis:
    """Surveys what the source holds; relations that can't be read are said and left out.

    Args:
        schemas: These alone; all but PostgreSQL's own when None.
        whole: Read all rows of each table instead of a sample.

    Raises:
        DaybreakError: When the source can't be reached, or is lost meanwhile.
    """
    advices, fits = [], limits(config)
    source = open_source(config)
    if config.source.demo:
        seed(source.url, config.source.demo.scale)
    with source.connect() as session:
        be_gentle(session, whole)
        where = server(session)
        listed = relations(session, schemas)
        if not listed:
            within = f" in {', '.join(schemas)}" if schemas else ""
            raise ConfigError(
                f"The source has no relation{within} that {where.role} can see.",
                remedy="Check the database and the schemas.",
            )
        for number, each in enumerate(listed, 1):
            found = survey(session, each, partial(measures, limits=fits), whole)
            advices.append(advise(found, where, fits, config.source.schema_))
            if number % PROGRESS == 0:
                log.info("%s of %s relations analysed", f"{number:,}", f"{len(listed):,}")
    hold_apart(advices)
    analysis = Analysis(where, advices)
    log.info("%s", analysis.about)
    return analysis


def write(analysis: Analysis, parts: dict[str, Any], output: Path | None) -> None:
    """Keeps the configuration as an artifact, and writes it where a file is named.

    Raises:
        PermanentError: When no relation can be copied.
        ConfigError: When the file is there already, or can't be written.
    """
    if not any(advice.settings for advice in analysis.advices):
        raise PermanentError(
            f"None of {len(analysis.advices):,} relations can be copied.",
            remedy="What is said of each above resolves it.",
        )
    text = tables_yaml(parts, analysis.advices, analysis.about)
    create_markdown_artifact(f"````yaml\n{text}````", key="tables-yaml")
    if output is None:
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{output} is there already.", remedy="Name another file by --output."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{output} can't be written: {error.strerror}.", remedy="Name another by --output."
        ) from None


def parts_of(config: Path) -> dict[str, Any]:
    """Source and warehouse as a file has them, variables unexpanded and without a password."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    parts = {part: document[part] for part in ("source", "warehouse") if part in document}
    if PASSWORD.search(parts["source"].get("url", "")):
        parts["source"]["url"] = "${SOURCE_URL}"
    return parts


def show(analysis: Analysis) -> None:
    """Prints the recommendations, and keeps them as an artifact."""
    rows = [
        {
            "table": advice.name,
            "key": advice.key,
            "columns": advice.columns,
            "rows": "unknown" if advice.rows is None else f"{advice.rows:,}",
            "MB": f"{advice.bytes / 1e6:,.0f}",
            "mode": (advice.settings or {}).get("mode", "left out"),
            "seconds": f"{advice.seconds:,.0f}",
            "MB stored": f"{advice.stored / 1e6:,.0f}",
            "why": advice.reason or advice.left_out,
            "remarks": "; ".join(advice.remarks),
        }
        for advice in analysis.advices
    ]
    create_table_artifact(rows, key="analysis", description=analysis.about)
    print(_told(rows, analysis.advices))


def _told(rows: list[dict[str, str]], advices: list[Advice]) -> str:
    table = Table(box=None, pad_edge=False)
    for name in ("table", "key", "mode"):
        table.add_column(name)
    for name in ("rows", "MB", "seconds", "MB stored"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(Text(row[str(column.header)]) for column in table.columns))
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print(table)
    console.print(
        f"\nSeconds are an estimate, at {BYTES_A_SECOND / 1e6:.0f} MB/s; so are MB stored, as"
        f" {STORED:.0%} of MB."
    )
    for advice in advices:
        for told in (advice.reason or advice.left_out, *advice.remarks):
            console.print(f"{advice.name}: {told}", highlight=False, markup=False, soft_wrap=True)
    return text.getvalue().rstrip()
