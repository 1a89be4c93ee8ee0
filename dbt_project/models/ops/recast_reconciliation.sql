-- Tables that restate a period: under another structure, or with other figures than before.
with recasts as (
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
        sum(coalesce(results.printed_step_millions, 0))::decimal(24, 6) as steps_millions,
        max(results.note) filter (
            where {{ says_total_changed('results.note') }}
        ) as note
    from {{ ref('fct_segment_result') }} as results
    inner join {{ ref('dim_segment') }} as segments on results.segment_key = segments.segment_key
    inner join {{ ref('dim_structure') }} as structures
        on
            results.company_key = structures.company_key
            and results.structure = structures.structure
            and position('|' || results.metric || '|' in '|' || structures.adds_up_to || '|') > 0
    where results.breakdown <> 'subline'
    group by all
    having count(*) filter (where results.basis = 'recast') > 0
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

with_original as (
    select
        recasts.company_key,
        recasts.structure,
        recasts.metric,
        recasts.period_start,
        recasts.period_end,
        recasts.document_id,
        recasts.currency,
        recasts.row_count,
        recasts.sum_millions,
        originals.document_id as original_document_id,
        originals.value_millions as original_total_millions,
        (
            0.5 * (recasts.steps_millions + coalesce(originals.printed_step_millions, 0))
        )::decimal(24, 6) as allowed_millions,
        coalesce(required.required_segments, 0) = recasts.required_printed as is_complete,
        coalesce(
            recasts.note, case when {{ says_total_changed('own.note') }} then own.note end
        ) as note
    from recasts
    left join required
        on
            recasts.company_key = required.company_key
            and recasts.structure = required.structure
    left join {{ ref('fct_company_result') }} as originals
        on
            recasts.company_key = originals.company_key
            and recasts.metric = originals.metric
            and recasts.period_start = originals.period_start
            and recasts.period_end = originals.period_end
            and recasts.currency = originals.currency
            and originals.print_number = 1
    left join {{ ref('fct_company_result') }} as own
        on
            recasts.company_key = own.company_key
            and recasts.metric = own.metric
            and recasts.period_start = own.period_start
            and recasts.period_end = own.period_end
            and recasts.document_id = own.document_id
            and recasts.currency = own.currency
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
    original_total_millions,
    original_document_id,
    (sum_millions - original_total_millions)::decimal(24, 6) as difference_millions,
    allowed_millions,
    currency,
    case
        when not is_complete then 'incomplete'
        when original_total_millions is null then 'no_total'
        when abs(sum_millions - original_total_millions) <= allowed_millions then 'same_total'
        when note is not null then 'explained'
        else 'differs'
    end as status,
    note
from with_original
