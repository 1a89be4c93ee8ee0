with tables_printed as (
    select
        results.company_key,
        results.structure,
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
    inner join {{ ref('dim_structure') }} as structures
        on
            results.company_key = structures.company_key
            and results.structure = structures.structure
            and position('|' || results.metric || '|' in '|' || structures.adds_up_to || '|') > 0
    where results.breakdown <> 'subline'
    group by all
),

required as (
    select
        company_key,
        structure,
        count(*) as required_segments
    from {{ ref('dim_segment') }}
    where is_required and breakdown <> 'subline'
    group by all
),

with_total as (
    select
        tables_printed.*,
        coalesce(required.required_segments, 0) = tables_printed.required_printed as is_complete,
        coalesce(own.document_id, newest.document_id) as total_document_id,
        coalesce(own.value_millions, newest.value_millions) as total_millions,
        (
            0.5 * (
                tables_printed.steps_millions
                + coalesce(own.printed_step_millions, newest.printed_step_millions, 0)
            )
        )::decimal(24, 6) as allowed_millions
    from tables_printed
    left join required
        on
            tables_printed.company_key = required.company_key
            and tables_printed.structure = required.structure
    left join {{ ref('fct_company_result') }} as own
        on
            tables_printed.company_key = own.company_key
            and tables_printed.metric = own.metric
            and tables_printed.period_start = own.period_start
            and tables_printed.period_end = own.period_end
            and tables_printed.document_id = own.document_id
            and tables_printed.currency = own.currency
    left join {{ ref('fct_company_result') }} as newest
        on
            tables_printed.company_key = newest.company_key
            and tables_printed.metric = newest.metric
            and tables_printed.period_start = newest.period_start
            and tables_printed.period_end = newest.period_end
            and newest.is_latest
            and tables_printed.currency = newest.currency
)

select
    company_key,
    structure,
    metric,
    period_start,
    period_end,
    document_id,
    row_count,
    sum_millions,
    total_millions,
    total_document_id,
    (sum_millions - total_millions)::decimal(24, 6) as difference_millions,
    allowed_millions,
    currency,
    case
        when not is_complete then 'incomplete'
        when total_millions is null then 'no_total'
        when abs(sum_millions - total_millions) <= allowed_millions then 'adds_up'
        else 'differs'
    end as status
from with_total
