{#
    A landed dataset still is what its contract says: no batch holds a key twice, required columns
    are filled, listed values only. Arguments come from the contract (see orchestration.transform).
#}
{% test keeps_contract(model, key, required, allowed) %}
    select
        'key stands twice' as broken,
        {{ key | join(" || ' ' || ") }} as observed
    from (
        select {% for column in key %}{{ column }}::string as {{ column }}{{ ', ' if not loop.last }}{% endfor %}

        from {{ model }}
    ) as keys
    group by all
    having count(*) > 1
    {% for column in required %}
        union all
        select '{{ column }} is empty', null from {{ model }} where {{ column }} is null
    {% endfor %}
    {% for column, values in allowed.items() %}
        union all
        select '{{ column }} is not listed', {{ column }}::string from {{ model }}
        where {{ column }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})
    {% endfor %}
{% endtest %}
