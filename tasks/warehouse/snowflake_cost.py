"""What runs cost in Snowflake, by the tags of their queries: refreshed in the ledger's sync_costs.

Account usage lags: queries show after 45 minutes, credits after up to 8 hours. So each night reads
the last days anew, and a later one completes what an earlier one could not know. The newest queries
come from the information schema, which knows no credits.

A query's credits are those attributed to it, and of its warehouse's idle time in that hour a share
in proportion, so that they add up to what is billed for compute. Cloud services, which are billed
where they exceed a tenth of that, are left out.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tasks.errors import DaybreakError, PermanentError
from tasks.warehouse.base import Query
from tasks.warehouse.snowflake_names import stored

#: How far back a night reads: credits are settled by then.
DAYS = 7
#: The information schema holds as much; it is asked for a day less, and a run lasts less than one.
RECENT_DAYS = 5
GRANTS = (
    "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE {role};"
    " GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE {role};"
)

RECENT = """
select query_id, query_tag, start_time, execution_time, bytes_scanned, null::float as credits
from table(information_schema.query_history_by_user(
    end_time_range_start => dateadd('day', -6, current_timestamp()), result_limit => 10000))
where query_tag like '{"run":%'"""

SETTLED = """
select q.query_id, q.query_tag, q.start_time, q.execution_time, q.bytes_scanned,
       a.credits_attributed_compute * greatest(1, coalesce(
           m.credits_used_compute / nullif(m.credits_attributed_compute_queries, 0), 1))
       + coalesce(a.credits_used_query_acceleration, 0) as credits
from snowflake.account_usage.query_history q
left join snowflake.account_usage.query_attribution_history a on a.query_id = q.query_id
left join snowflake.account_usage.warehouse_metering_history m
    on m.warehouse_name = q.warehouse_name and m.start_time = date_trunc('hour', q.start_time)
where q.query_tag like '{"run":%' and q.start_time >= ?"""

# What began before `since` is in the ledger already, and may be read here in part.
INSERT = """
insert into {raw}.sync_costs
with recent as ({recent}), settled as ({settled}), queries as (
    select * from settled
    union all
    select * from recent where query_id not in (select query_id from settled)
)
select json_extract_path_text(query_tag, 'run'),
       split_part(json_extract_path_text(query_tag, 'table'), '.', -1),
       json_extract_path_text(query_tag, 'step'),
       min(start_time), count(*), sum(execution_time) / 1000, sum(bytes_scanned), sum(credits)
from queries
group by 1, 2, 3
having min(start_time) >= ?"""


def refresh(query: Query, raw: str) -> None:
    """Reads the costs of the last days' runs anew.

    Args:
        raw: The quoted schema of the ledger.

    Raises:
        PermanentError: When the role may not read account usage; what Snowflake tells everyone
            about his own queries is in the ledger all the same.
    """
    now = datetime.now(UTC)
    try:
        _replace(query, raw, SETTLED, now - timedelta(DAYS))
    except PermanentError as error:
        _replace(query, raw, f"{RECENT} and start_time >= ?", now - timedelta(RECENT_DAYS))
        [(role,)] = query("select current_role()", [])
        raise PermanentError(
            f"Credits are not known: {error.message}", remedy=GRANTS.format(role=role)
        ) from None


def storage(query: Query, schema: str) -> int:
    """Bytes that the tables of a schema take up, without those of Time Travel and fail-safe."""
    [(held,)] = query(
        "select sum(bytes) from information_schema.tables where table_schema = ?", [stored(schema)]
    )
    return int(held or 0)


def _replace(query: Query, raw: str, settled: str, since: datetime) -> None:
    """Replaces all that began since then, in one transaction."""
    insert = INSERT.replace("{raw}", raw).replace("{recent}", RECENT).replace("{settled}", settled)
    query("begin", [])
    try:
        query(f"delete from {raw}.sync_costs where started_at >= ?", [since])
        query(insert, [since - timedelta(days=1), since])
        query("commit", [])
    except BaseException:
        with suppress(DaybreakError):
            query("rollback", [])
        raise
