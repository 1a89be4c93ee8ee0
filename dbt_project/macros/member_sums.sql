{#
    What each document prints for a group of segments within one structure: their sum, per metric and
    quarter. A document counts when it prints every member, except those that no document prints any
    more in a current column (another line has taken them in): a partial sum never stands for the whole.

    `members`: a relation with `keys` and segment_key; `keys` hold company_key and structure. Gives
    one row for each of `keys`, metric, period_end and document_id. `is_latest`: the newest document
    that counts.
#}
{% macro sums_of_members(members, keys) %}
with members as (
    select
        {%- for key in keys %}
        members.{{ key }},
        {%- endfor %}
        members.segment_key,
        results.metric,
        -- After this day the line is printed no more: another one has taken it in.
        max(results.ordered_on) filter (
            where results.column_role <> 'prior_year'
        ) as last_printed_on
    from {{ members }} as members
    inner join {{ ref('fct_segment_result') }} as results
        on members.segment_key = results.segment_key
    group by all
),

sums as (
    select
        {%- for key in keys %}
        members.{{ key }},
        {%- endfor %}
        members.metric,
        results.period_start,
        results.period_end,
        results.document_id,
        results.currency,
        results.ordered_on,
        results.source_quality,
        results.document_rank,
        results.is_reporting_structure,
        {{ joined_list('members.segment_key', 'members.segment_key') }} as segment_keys,
        count(*)::int as segment_count,
        sum(results.value_millions)::decimal(24, 6) as value_millions,
        count(*) filter (where members.last_printed_on >= results.ordered_on) as members_printed
    from members
    inner join {{ ref('fct_segment_result') }} as results
        on members.segment_key = results.segment_key and members.metric = results.metric
    where results.period_type = 'quarter'
    group by all
),

complete as (
    select sums.*
    from sums
    inner join members
        on
            {%- for key in keys %}
            sums.{{ key }} = members.{{ key }}
            and
            {%- endfor %} sums.metric = members.metric
    group by all
    having
        count(*) filter (where members.last_printed_on >= sums.ordered_on) = sums.members_printed
)

select
    {%- for key in keys %}
    complete.{{ key }},
    {%- endfor %}
    complete.metric,
    complete.period_start,
    complete.period_end,
    complete.document_id,
    periods.fiscal_quarter_index,
    complete.currency,
    complete.segment_keys,
    complete.segment_count,
    complete.value_millions,
    complete.ordered_on,
    complete.source_quality,
    complete.document_rank,
    complete.is_reporting_structure,
    row_number() over (
        partition by
            {%- for key in keys %}
            complete.{{ key }},
            {%- endfor %}
            complete.metric,
            complete.period_end
        order by {{ newest_print_first('complete.') }}
    ) = 1 as is_latest
from complete
inner join {{ ref('dim_fiscal_period') }} as periods
    on complete.company_key = periods.company_key and complete.period_end = periods.period_end
{% endmacro %}
