{#
    The rows of a landing dataset that count: for each key the assertion from the best source and,
    within it, the newest one in the load log. Batches that no assertion points to are not read.

    `prefer`: a condition on `landed` that goes before the source: a row that meets it outranks
    every row of the same key that does not.
#}
{% macro rows_that_count(dataset, key, prefer=none) %}
    select landed.*
    from {{ source('landing', dataset) }} as landed
    inner join {{ source('reference', 'load_log') }} as load_log
        on load_log.dataset = '{{ dataset }}' and load_log.batch_id = landed.batch_id
    qualify row_number() over (
        partition by {% for column in key %}landed.{{ column }}{{ ', ' if not loop.last }}{% endfor %}

        order by
            {% if prefer %}case when {{ prefer }} then 1 else 0 end desc, {% endif %}load_log.source_rank desc, load_log.sequence desc
    ) = 1
{% endmacro %}
