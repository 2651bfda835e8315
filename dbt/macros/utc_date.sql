{#-
    The UTC day of an instant. A plain cast would take the reader's session time zone,
    and dbt-snowflake has no setting for that.
-#}
{% macro utc_date(instant) -%}
    {{ adapter.dispatch('utc_date')(instant) }}
{%- endmacro %}

{% macro duckdb__utc_date(instant) -%}
    cast({{ instant }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro snowflake__utc_date(instant) -%}
    cast(convert_timezone('UTC', {{ instant }}) as date)
{%- endmacro %}
