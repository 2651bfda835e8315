"""What an attempt at a table reads and writes, as OpenLineage's run events tell it.

Datasets are named as https://openlineage.io/docs/spec/naming has it; that knows no DuckDB, whose
namespace is its file. No event holds a login: namespaces are hosts, accounts and paths alone.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    set_producer,
)
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    column_lineage_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
)
from psycopg.conninfo import conninfo_to_dict

from tasks.transfer.contract import Contract
from tasks.transfer.types import Field

PRODUCER = NAMESPACE = "daybreak"
set_producer(f"urn:{PRODUCER}")
#: Columns of ours beside those of the source.
OURS = {"_synced_at": "timestamp with time zone", "_run_id": "uuid"}


@dataclass(frozen=True)
class Place:
    """A table in the source or warehouse; `namespace` is the system that holds it."""

    namespace: str
    database: str
    schema: str
    table: str

    @property
    def name(self) -> str:
        return f"{self.database}.{self.schema}.{self.table}"


def source_place(url: str, contract: Contract) -> Place:
    """Where a table is read, from the source's libpq URL or string."""
    given = conninfo_to_dict(url)
    host = str(given.get("host") or given.get("hostaddr") or "localhost").split(",")[0]
    if host.startswith(("/", "@")):  # a socket's
        host = "localhost"
    port = str(given.get("port") or 5432).split(",")[0]
    database = str(given.get("dbname") or given.get("user") or "postgres")
    relation = contract.relation
    return Place(f"postgres://{host}:{port}", database, relation.schema, relation.name)


@dataclass(frozen=True)
class Copying:
    """One attempt: the table's contract, from where to where, and the types it is stored as."""

    run_id: str
    attempt: str
    contract: Contract
    read: Place
    written: Place
    sql_type: Callable[[Field], str]

    def event(
        self,
        state: RunState,
        rows_read: int | None = None,
        rows_published: int | None = None,
        error: str | None = None,
    ) -> RunEvent:
        """What became of the attempt by now; rows are known once it has ended well."""
        return RunEvent(
            eventType=state,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(self._run, self._run_facets(error)),
            job=Job(
                NAMESPACE,
                f"copy {self.written.name}",
                {"jobType": job_type_job.JobTypeJobFacet("BATCH", "DAYBREAK", "COPY")},
            ),
            inputs=[self._input(rows_read)],
            outputs=[self._output(rows_published)],
        )

    @property
    def _run(self) -> str:
        return str(uuid.uuid5(uuid.UUID(self.run_id), f"{self.written.table} {self.attempt}"))

    def _run_facets(self, error: str | None) -> dict[str, RunFacet]:
        night = parent_run.ParentRunFacet(
            parent_run.Run(self.run_id), parent_run.Job(NAMESPACE, "night")
        )
        if error is None:
            return {"parent": night}
        failure = error_message_run.ErrorMessageRunFacet(error, "PYTHON")
        return {"parent": night, "errorMessage": failure}

    def _input(self, rows: int | None) -> InputDataset:
        names = {each.name for each in self.contract.fields}
        columns = self.contract.relation.columns
        copied = {each.name: each.declared for each in columns if each.name in names}
        counted = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
        return InputDataset(
            namespace=self.read.namespace,
            name=self.read.name,
            facets={"schema": _schema(copied)},
            inputFacets={} if rows is None else {"inputStatistics": counted},
        )

    def _output(self, rows: int | None) -> OutputDataset:
        columns = {each.name: self.sql_type(each) for each in self.contract.fields}
        facets: dict[str, DatasetFacet] = {
            "schema": _schema(columns | OURS),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(
                {each.name: self._origin(each) for each in self.contract.fields}
            ),
        }
        counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        return OutputDataset(
            namespace=self.written.namespace,
            name=self.written.name,
            facets=facets,
            outputFacets={} if rows is None else {"outputStatistics": counted},
        )

    def _origin(self, field: Field) -> column_lineage_dataset.Fields:
        """The source's column that a field is copied from, and whether it is masked on the way."""
        how = column_lineage_dataset.Transformation(
            "DIRECT", "TRANSFORMATION" if field.mask else "IDENTITY", masking=bool(field.mask)
        )
        origin = column_lineage_dataset.InputField(
            self.read.namespace, self.read.name, field.name, [how]
        )
        return column_lineage_dataset.Fields([origin])


def _schema(columns: dict[str, str]) -> schema_dataset.SchemaDatasetFacet:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name, kind, ordinal_position=number)
        for number, (name, kind) in enumerate(columns.items(), start=1)
    ]
    return schema_dataset.SchemaDatasetFacet(fields)
