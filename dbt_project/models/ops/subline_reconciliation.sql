with tables_printed as (
    select
        results.company_key,
        results.structure,
        segments.parent_segment_key,
        results.metric,
        results.period_start,
        results.period_end,
        results.document_id,
        results.currency,
        count(*)::int as row_count,
        count(*) filter (where segments.is_required) as required_printed,
        sum(results.value_millions)::decimal(24, 6) as sum_millions,
        sum(coalesce(results.printed_step_millions, 0))::decimal(24, 6) as steps_millions
    from {{ ref('fct_segment_result') }} as results
    inner join {{ ref('dim_segment') }} as segments on results.segment_key = segments.segment_key
    where results.breakdown = 'subline'
    group by all
),

required as (
    select
        parent_segment_key,
        count(*) as required_sublines
    from {{ ref('dim_segment') }}
    where is_required and breakdown = 'subline'
    group by all
),

with_parent as (
    select
        tables_printed.*,
        coalesce(
            required.required_sublines = tables_printed.required_printed, false
        ) as is_complete,
        coalesce(own.document_id, newest.document_id) as parent_document_id,
        coalesce(own.value_millions, newest.value_millions) as parent_millions,
        (
            0.5 * (
                tables_printed.steps_millions
                + coalesce(own.printed_step_millions, newest.printed_step_millions, 0)
            )
        )::decimal(24, 6) as allowed_millions
    from tables_printed
    left join required on tables_printed.parent_segment_key = required.parent_segment_key
    left join {{ ref('fct_segment_result') }} as own
        on
            tables_printed.parent_segment_key = own.segment_key
            and tables_printed.metric = own.metric
            and tables_printed.period_start = own.period_start
            and tables_printed.period_end = own.period_end
            and tables_printed.document_id = own.document_id
    left join {{ ref('fct_segment_result') }} as newest
        on
            tables_printed.parent_segment_key = newest.segment_key
            and tables_printed.metric = newest.metric
            and tables_printed.period_start = newest.period_start
            and tables_printed.period_end = newest.period_end
            and newest.is_latest
)

select
    parent_segment_key,
    metric,
    period_start,
    period_end,
    document_id,
    company_key,
    structure,
    row_count,
    sum_millions,
    parent_millions,
    parent_document_id,
    (sum_millions - parent_millions)::decimal(24, 6) as difference_millions,
    allowed_millions,
    currency,
    case
        when parent_millions is null then 'no_total'
        when abs(sum_millions - parent_millions) <= allowed_millions then 'adds_up'
        when is_complete then 'differs'
        else 'incomplete'
    end as status
from with_parent
