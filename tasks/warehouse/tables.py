"""The ledger's tables and columns, with their types and what they mean; stable, and for users too.

A column is added at the end of what a later version brings (`ADDED`), and none changes its meaning.
`{instant}` is the warehouse's timestamp with time zone.
"""

#: By table and column: the type, and what it holds.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "sync_state": {
        "table_name": ("varchar not null primary key", "the copy's name"),
        "version": ("bigint not null", "rises by one with every publish"),
        "watermark": ("varchar", "where the next incremental read goes on"),
        "fingerprint": ("varchar", "the source's shape at the last publish, as JSON"),
        "synced_at": ("{instant}", "`_synced_at` of the last publish"),
        "run_id": ("varchar", "the run of the last publish"),
    },
    "sync_runs": {
        "run_id": ("varchar not null", "the flow run"),
        "table_name": ("varchar not null", "the copy's name"),
        "attempt": ("varchar not null", "the attempt's own id"),
        "outcome": (
            "varchar not null",
            "published, failed, superseded, withheld, or planned for a backfill",
        ),
        "mode": ("varchar", "the table's mode, or replay, backfill, repair"),
        "snapshot_id": ("varchar", "the source's instant, as exported"),
        "snapshot_lsn": ("varchar", "the source's WAL position then"),
        "snapshot_at": ("{instant}", "when it was taken, by the source's clock"),
        "lower_bound": ("varchar", "from where on it was read; NULL is the whole table"),
        "watermark": ("varchar", "the watermark that the attempt published"),
        "rows_read": ("bigint", "rows of the source"),
        "rows_staged": ("bigint", "rows that passed every rule"),
        "rows_published": ("bigint", "rows that readers see since"),
        "rows_dead_lettered": ("bigint", "rows held back"),
        "rows_deleted": ("bigint", "rows that had left the source; NULL where not compared"),
        "cells_coerced": ("bigint", "values that became NULL since their type can't hold them"),
        "cells_unrepresentable": (
            "varchar",
            'the same by column, as JSON: `{"amount": {"null": 3}}`',
        ),
        "bytes_read": ("bigint", "bytes of the chunks in memory"),
        "seconds": ("double", "wall time of the attempt"),
        "cpu_seconds": ("double", "its share of the process' CPU time"),
        "forced": ("varchar", "what the breaker said of a publish that was forced"),
        "schema_changes": ("varchar", "how the source's shape had changed, in words"),
        "error": ("varchar", "why it failed, with the remedy"),
        "slice": (
            "varchar",
            "of a backfill: the slice, or all of them as JSON where planned; else --partitions",
        ),
        "finished_at": ("{instant} not null", "when it ended"),
    },
    "sync_costs": {
        "run_id": ("varchar not null", "the flow run"),
        "table_name": ("varchar", "the copy's name; NULL is what tables share, such as dbt"),
        "step": ("varchar", "the step of the run, by the tags of its queries"),
        "started_at": ("{instant} not null", "when its first query began"),
        "statements": ("bigint", "queries"),
        "warehouse_seconds": ("double", "seconds on the warehouse"),
        "bytes_scanned": ("bigint", "bytes that the queries scanned"),
        "credits": ("double", "credits, which Snowflake tells hours later"),
    },
    "dead_letters": {
        "table_name": ("varchar not null", "the copy's name"),
        "row_key": ("varchar not null", "the row's key, as JSON"),
        "rule": ("varchar not null", "the rule that it breaks"),
        "column_name": ("varchar not null", "the column that breaks it"),
        "value": ("varchar", "the offending text, masked where the column is"),
        "record": ("varchar", "the whole row as JSON, masked likewise"),
        "previous_version_kept": ("boolean not null", "whether the row before is still copied"),
        "first_seen": ("{instant} not null", "when it was first met"),
        "first_run_id": ("varchar not null", "in which run"),
        "last_seen": ("{instant} not null", "when it was last met"),
        "last_run_id": ("varchar not null", "in which run"),
        "closed_at": ("{instant}", "when its row passed or left; NULL is open"),
    },
    "quality_results": {
        "run_id": ("varchar not null", "the flow run"),
        "relation": ("varchar not null", "what was measured"),
        "check_name": ("varchar not null", "which check of it"),
        "measured": ("double", "the value; NULL is nothing to measure"),
        "threshold": ("varchar", "what was expected, in words"),
        "at_least": ("double", "the least that is expected; NULL is any"),
        "at_most": ("double", "the most that is expected; NULL is any"),
        "breached": ("boolean not null", "whether it failed the run"),
        "measured_at": ("{instant} not null", "when"),
    },
    "dbt_results": {
        "run_id": ("varchar not null", "the flow run"),
        "node": ("varchar not null", "dbt's unique id of a model, snapshot, seed or test"),
        "status": ("varchar not null", "dbt's word for how it ended"),
        "seconds": ("double", "how long it took"),
        "message": ("varchar", "why it failed"),
        "finished_at": ("{instant} not null", "when it ended"),
    },
    "reconcile_results": {
        "run_id": ("varchar not null", "the flow run"),
        "table_name": ("varchar not null", "the copy's name"),
        "snapshot_id": ("varchar not null", "the source's instant that was compared"),
        "snapshot_at": ("{instant} not null", "when it was taken"),
        "rows_source": ("bigint", "rows of the source then"),
        "rows_copied": ("bigint", "rows of the copy"),
        "parts_differing": ("bigint", "ranges of keys whose sums differ"),
        "rows_missing": ("bigint", "rows that the copy lacks"),
        "rows_extra": ("bigint", "rows that only the copy has"),
        "rows_different": ("bigint", "rows of which a column differs"),
        "repaired": ("boolean not null", "whether just these were published then"),
        "differences": (
            "varchar",
            'the first of them, as JSON: `[{"what": "missing", "key": ...}]`',
        ),
        "left_out": ("varchar", "columns that were not compared, and why"),
        "open_letters": ("bigint", "rows that are dead letters, and so no difference"),
        "seconds": ("double", "wall time of the comparison"),
        "compared_at": ("{instant} not null", "when"),
    },
}
#: By table and column: the type alone.
TABLES = {
    table: {name: kind for name, (kind, _) in columns.items()} for table, columns in COLUMNS.items()
}
#: Of a later version than the table, which may be there already.
ADDED = {
    "sync_runs": [
        "rows_deleted",
        "cells_unrepresentable",
        "forced",
        "cpu_seconds",
        "slice",
        "schema_changes",
    ],
}
