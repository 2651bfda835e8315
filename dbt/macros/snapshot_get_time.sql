{#- The adapters stamp versions without a time zone. Here every timestamp is an instant. -#}
{% macro default__snapshot_get_time() -%}
    current_timestamp
{%- endmacro %}
