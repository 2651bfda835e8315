"""Whether columns that no index holds unique identify the rows of a table after all."""

from psycopg import sql

from tasks.errors import PermanentError
from tasks.source.catalog import Relation
from tasks.source.connection import Source
from tasks.source.read import fetch
from tasks.source.snapshot import Snapshot

SAMPLES = 5
OFFENDING = """
select row({key})::text, count(*) over () from {relation}
group by {key} having count(*) > 1 or {holes} order by 1 limit {samples}"""


def check_key(
    source: Source, snapshot: Snapshot, table: str, relation: Relation, key: list[str]
) -> None:
    """Reads the whole key on the snapshot and holds it unique and not null.

    Raises:
        PermanentError: With the number of values that are not, and up to five of them.
    """
    columns = [sql.Identifier(name) for name in key]
    query = sql.SQL(OFFENDING).format(
        key=sql.SQL(", ").join(columns),
        relation=sql.Identifier(relation.schema, relation.name),
        holes=sql.SQL(" or ").join(sql.SQL("{} is null").format(column) for column in columns),
        samples=SAMPLES,
    )
    found = fetch(source, snapshot, table, query.as_string())
    if found:
        names = ", ".join(key)
        raise PermanentError(
            f"Its key ({names}) has doubled values or NULLs: {found[0][1]:,},"
            f" such as {', '.join(sample for sample, _ in found)}.",
            remedy="Correct these rows, or choose another key."
            f" CREATE UNIQUE INDEX ON {relation.schema}.{relation.name} ({names}); and NOT NULL"
            " keep it so, and save the check of every night.",
            table=table,
        )
