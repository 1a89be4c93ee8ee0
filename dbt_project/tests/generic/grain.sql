{#
    The grain of a table: no two rows share the values of `columns`. Missing values are compared
    like any other value, so a key that is wholly missing twice fails too.
#}
{% test grain(model, columns) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as rows_per_key
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
