"""How to copy a database: what its tables are, what speaks for each mode, and a file that says so.

`SOURCE_URL=... python flows/analyze_source.py` is the first thing to run against your own source.
It reads, gently, and writes nothing but its own file.
"""

import sys

if __name__ == "__main__":  # before the other imports, which take seconds
    from tasks.interruption import leave_at_once

    leave_at_once()

from pathlib import Path

from prefect import flow

from tasks.analyze import analyze, parts_of, show, write
from tasks.analyze_command import main
from tasks.command import DEMO
from tasks.config import load_config


@flow(name="analyze-source", persist_result=False)
def analyze_source(
    config: str = str(DEMO),
    schemas: list[str] | None = None,
    whole: bool = False,
    output: str | None = None,
) -> None:
    """Recommends how to copy each table of a source, and writes it as a configuration.

    Args:
        config: Path of the configuration file whose source is analysed.
        schemas: Only these schemas; all but PostgreSQL's own when empty.
        whole: Read all rows of each table instead of a sample of at most 1.6 MB.
        output: Path of the file to write; it is an artifact alone when empty.
    """
    analysis = analyze(load_config(Path(config)), schemas, whole)
    show(analysis)
    write(analysis, parts_of(Path(config)), Path(output) if output else None)
    if output:
        print(f"\nwritten  {output}")


if __name__ == "__main__":
    sys.exit(main(analyze_source))
