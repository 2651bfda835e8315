{#-
    Whether a row is one that the source still has. A copy has the column _deleted_at only where its
    deletes are soft.
-#}
{% macro is_in_source(table) -%}
    {%- set columns = adapter.get_columns_in_relation(source('raw', table)) | map(attribute='name') | map('lower') -%}
    {{ '_deleted_at is null' if '_deleted_at' in columns else 'true' }}
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
