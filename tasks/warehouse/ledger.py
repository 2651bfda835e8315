"""The ledger's tables and statements, in SQL that both warehouses read.

`{raw}` is the quoted schema; values are bound as `?`. A dead letter is identified by table, key,
rule and column, so that a nightly full refresh meets the same letter again instead of adding one.
"""

TABLES = {
    "sync_state": """
        table_name varchar not null primary key,
        version bigint not null,
        watermark varchar,
        fingerprint varchar,
        synced_at timestamptz,
        run_id varchar""",
    "sync_runs": """
        run_id varchar not null,
        table_name varchar not null,
        attempt varchar not null,
        outcome varchar not null,
        mode varchar,
        snapshot_id varchar,
        snapshot_lsn varchar,
        snapshot_at timestamptz,
        lower_bound varchar,
        watermark varchar,
        rows_read bigint,
        rows_staged bigint,
        rows_published bigint,
        rows_dead_lettered bigint,
        cells_coerced bigint,
        bytes_read bigint,
        seconds double,
        error varchar,
        finished_at timestamptz not null""",
    "dead_letters": """
        table_name varchar not null,
        row_key varchar not null,
        rule varchar not null,
        column_name varchar not null,
        value varchar,
        record varchar,
        previous_version_kept boolean not null,
        first_seen timestamptz not null,
        first_run_id varchar not null,
        last_seen timestamptz not null,
        last_run_id varchar not null,
        closed_at timestamptz""",
    "quality_results": """
        run_id varchar not null,
        relation varchar not null,
        check_name varchar not null,
        measured double,
        threshold varchar,
        breached boolean not null,
        measured_at timestamptz not null""",
}

# The guard is the last statement of a publish and must touch one row.
ADVANCE_STATE = """
update {raw}.sync_state
set version = version + 1, watermark = ?, fingerprint = ?, synced_at = ?, run_id = ?
where table_name = ? and version = ?"""

SAME_LETTER = """l.row_key = d.row_key and l.rule = d.rule and l.column_name = d.column_name"""

CLOSE_LETTERS = f"""
update {{raw}}.dead_letters as d set closed_at = ?
where d.table_name = ? and d.closed_at is null
  and not exists (select 1 from {{letters}} l where {SAME_LETTER}) and {{replaced}}"""

# What a merge replaced: the keys it published and those that broke another rule this time.
REPLACED_BY_MERGE = """
(exists (select 1 from {staging} s where {same_key})
 or exists (select 1 from {letters} l where l.row_key = d.row_key))"""

SEE_LETTERS_AGAIN = f"""
update {{raw}}.dead_letters as d
set last_seen = ?, last_run_id = ?, value = l.value, record = l.record
from {{letters}} l
where d.table_name = ? and d.closed_at is null and {SAME_LETTER}"""

ADD_LETTERS = f"""
insert into {{raw}}.dead_letters
select ?, l.row_key, l.rule, l.column_name, min(l.value), min(l.record), ?, ?, ?, ?, ?, null
from {{letters}} l
where not exists (select 1 from {{raw}}.dead_letters d
                  where d.table_name = ? and d.closed_at is null and {SAME_LETTER})
group by l.row_key, l.rule, l.column_name"""
