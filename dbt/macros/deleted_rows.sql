{#-
    Whether a row is one that the source still has. A copy has the column _deleted_at only where its
    deletes are soft; the rows of a unit test have none.
-#}
{% macro is_in_source(table) -%}
    {%- set copy = source('raw', table) -%}
    {%- set columns = [] if copy.is_cte else adapter.get_columns_in_relation(copy) -%}
    {%- set names = columns | map(attribute='name') | map('lower') -%}
    {{ '_deleted_at is null' if '_deleted_at' in names else 'true' }}
{%- endmacro %}

{#- Takes the rows that left the source out of an incremental model, which reads only what came. -#}
{% macro delete_rows_not_in_source(table, key) -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where {{ key }} not in (
        select {{ key }} from {{ source('raw', table) }}
        where {{ key }} is not null and {{ is_in_source(table) }}
    )
    {%- endif -%}
{%- endmacro %}
