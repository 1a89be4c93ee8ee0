{#
    A landed dataset still is what its contract says: no batch holds a key twice, required columns
    are filled, listed values only. Arguments come from the contract (see orchestration.transform).
    No batch is ever edited: a build that goes on looks at those that it has not seen.
#}
{% test keeps_contract(model, dataset, key, required, allowed) %}
    with landed as (
        select * from {{ model }}
        {% if goes_on() %}
            where
                batch_id in (
                    select batch_id from {{ source('reference', 'changed') }}
                    where dataset = '{{ dataset }}'
                )
        {% endif %}
    )

    select
        'key stands twice' as broken,
        {{ key | join(" || ' ' || ") }} as observed
    from (
        select {% for column in key %}{{ column }}::string as {{ column }}{{ ', ' if not loop.last }}{% endfor %}

        from landed
    ) as keys
    group by all
    having count(*) > 1
    {% for column in required %}
        union all
        select '{{ column }} is empty', null from landed where {{ column }} is null
    {% endfor %}
    {% for column, values in allowed.items() %}
        union all
        select '{{ column }} is not listed', {{ column }}::string from landed
        where {{ column }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})
    {% endfor %}
{% endtest %}
