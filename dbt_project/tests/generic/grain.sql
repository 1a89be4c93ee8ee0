{#
    The grain of a table: no two rows share the values of `columns`. Missing values are compared
    like any other value, so a key that is wholly missing twice fails too.

    `written_from`: a relation of the sessions from which on a build that goes on has written each
    security anew. Nothing before them has changed since it passed.
#}
{% test grain(model, columns, written_from=none) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as rows_per_key
{% if written_from and goes_on() %}
from (
    select held.*
    from {{ model }} as held
    inner join {{ written_from }} as written
        on held.security_key = written.security_key and held.session_date >= written.restart_on
) as anew
{% else %}
from {{ model }}
{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
