{#
    The rows of a landing dataset that count: for each key the assertion from the best source and,
    within it, the newest one in the load log. Batches that no assertion points to are not read.

    `prefer`: a condition on `landed` that goes before the source: a row that meets it outranks
    every row of the same key that does not. `among`: a relation with all landed rows of the keys that
    are asked for, where that is not all there are.
#}
{% macro rows_that_count(dataset, key, prefer=none, among=none) %}
    select landed.*
    from {{ among or source('landing', dataset) }} as landed
    inner join {{ source('reference', 'load_log') }} as load_log
        on load_log.dataset = '{{ dataset }}' and load_log.batch_id = landed.batch_id
    qualify row_number() over (
        partition by {% for column in key %}landed.{{ column }}{{ ', ' if not loop.last }}{% endfor %}

        order by
            {% if prefer %}case when {{ prefer }} then 1 else 0 end desc, {% endif %}load_log.source_rank desc, load_log.sequence desc
    ) = 1
{% endmacro %}

{#
    What each source says: for each key and source its newest assertion. `is_counting` marks the one
    that `rows_that_count` chooses (for a dataset without a `prefer`).
#}
{% macro newest_of_each_source(dataset, key) %}
    {%- set one_figure = 'said.' ~ key | join(', said.') %}
    select
        said.*,
        row_number() over (
            partition by {{ one_figure }} order by said.source_rank desc, said.sequence desc
        ) = 1 as is_counting
    from (
        select
            landed.*,
            load_log.source_rank,
            load_log.sequence
        from {{ source('landing', dataset) }} as landed
        inner join {{ source('reference', 'load_log') }} as load_log
            on load_log.dataset = '{{ dataset }}' and load_log.batch_id = landed.batch_id
        qualify row_number() over (
            partition by landed.source, {{ 'landed.' ~ key | join(', landed.') }}
            order by load_log.sequence desc
        ) = 1
    ) as said
{% endmacro %}
