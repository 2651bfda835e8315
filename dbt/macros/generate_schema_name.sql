{#- Schemas carry their own names (mart, not main_mart), so that readers can say mart.orders anywhere. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
