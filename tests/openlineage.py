"""What OpenLineage's specification (2-0-2, and the facets' own) asks of the events that we send.

Its schema files ship with no package, so this is written from the specification; the client's
classes, which are generated from them, hold the events to their fields and types.
"""

from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

JSON = dict[str, Any]
FORMATS = FormatChecker(["uuid"])
TEXT = {"type": "string"}
COUNT = {"type": "integer"}


def _has_time_and_zone(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None and "T" in str(value)


def _has_a_scheme(value: object) -> bool:
    return ":" in str(value) and " " not in str(value)


FORMATS.checks("date-time", raises=ValueError)(_has_time_and_zone)
FORMATS.checks("uri")(_has_a_scheme)


def thing(required: JSON, optional: JSON | None = None) -> JSON:
    """An object with these properties and, as everywhere in the specification, any others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
    }


def each(schema: JSON) -> JSON:
    return {"type": "object", "additionalProperties": schema}


def some(schema: JSON) -> JSON:
    return {"type": "array", "items": schema}


def facet(name: str, version: str, required: JSON, optional: JSON | None = None) -> JSON:
    """A facet, which says who made it and by which schema."""
    url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    base = {"_producer": {"type": "string", "format": "uri"}, "_schemaURL": {"const": url}}
    return thing(base | required, optional)


def closed(facets: JSON) -> JSON:
    """Facets of which we send no other."""
    return {"type": "object", "properties": facets, "additionalProperties": False}


RUN_ID = {"type": "string", "format": "uuid"}
NAMED = {"namespace": TEXT, "name": TEXT}
RUN_FACETS = {
    "parent": facet(
        "ParentRunFacet", "1-2-0", {"run": thing({"runId": RUN_ID}), "job": thing(NAMED)}
    ),
    "errorMessage": facet(
        "ErrorMessageRunFacet", "1-0-1", {"message": TEXT, "programmingLanguage": TEXT}
    ),
    "tags": facet("TagsRunFacet", "1-0-0", {}, {"tags": some(thing({"key": TEXT, "value": TEXT}))}),
}
JOB_FACETS = {
    "jobType": facet(
        "JobTypeJobFacet",
        "2-0-4",
        {"processingType": {"enum": ["BATCH", "STREAMING", "SERVICE"]}, "integration": TEXT},
        {"jobType": TEXT},
    )
}
SCHEMA = facet(
    "SchemaDatasetFacet",
    "1-2-0",
    {},
    {"fields": some(thing({"name": TEXT}, {"type": TEXT, "ordinal_position": COUNT}))},
)
HOW = thing(
    {"type": {"enum": ["DIRECT", "INDIRECT"]}}, {"subtype": TEXT, "masking": {"type": "boolean"}}
)
ORIGIN = thing(NAMED | {"field": TEXT}, {"transformations": some(HOW)})
COLUMN_LINEAGE = facet(
    "ColumnLineageDatasetFacet", "1-2-0", {"fields": each(thing({"inputFields": some(ORIGIN)}))}
)
INPUT = facet("InputStatisticsInputDatasetFacet", "1-0-0", {}, {"rowCount": COUNT})
OUTPUT = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", {}, {"rowCount": COUNT})
RUN_EVENT = thing(
    {
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {
            "const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        },
        "run": thing({"runId": RUN_ID}, {"facets": closed(RUN_FACETS)}),
        "job": thing(NAMED, {"facets": closed(JOB_FACETS)}),
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
    },
    {
        "inputs": some(
            thing(
                NAMED,
                {
                    "facets": closed({"schema": SCHEMA}),
                    "inputFacets": closed({"inputStatistics": INPUT}),
                },
            )
        ),
        "outputs": some(
            thing(
                NAMED,
                {
                    "facets": closed({"schema": SCHEMA, "columnLineage": COLUMN_LINEAGE}),
                    "outputFacets": closed({"outputStatistics": OUTPUT}),
                },
            )
        ),
    },
)
_events = Draft202012Validator(RUN_EVENT, format_checker=FORMATS)


def wrong(event: JSON) -> list[str]:
    """What the specification says against an event."""
    return [f"{error.json_path}: {error.message}" for error in _events.iter_errors(event)]
