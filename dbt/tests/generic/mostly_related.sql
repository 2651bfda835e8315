{#-
    Like relationships, for keys the source does not enforce: a few rows may name a parent that
    does not exist or waits in the dead letters, more than the given share may not.
-#}
{% test mostly_related(model, column_name, to, field, at_most=0.01) %}

select orphans, named
from (
    select
        count(child.{{ column_name }}) as named,
        count(child.{{ column_name }}) - count(parent.{{ field }}) as orphans
    from {{ model }} as child
    left join {{ to }} as parent on child.{{ column_name }} = parent.{{ field }}
) as counted
where orphans > named * {{ at_most }}

{% endtest %}
