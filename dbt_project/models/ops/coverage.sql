with said as (
    select * from {{ ref('result_assertions') }}
    where is_counting
),

-- The figures that count for a quarter: the newest print, under the structure it was reported in.
figures as (
    select
        results.company_key,
        results.period_end,
        results.breakdown,
        results.metric,
        results.structure,
        said.source,
        documents.kind
    from {{ ref('fct_segment_result') }} as results
    inner join said
        on
            results.document_id = said.document_id
            and results.segment_key = said.segment_key
            and results.metric = said.metric
            and results.period_start = said.period_start
            and results.period_end = said.period_end
            and results.currency = said.currency
    left join {{ ref('dim_document') }} as documents on results.document_id = documents.document_id
    where
        results.period_type in ('quarter', 'instant')
        and results.is_latest
        and results.is_reporting_structure
    union all
    select
        results.company_key,
        results.period_end,
        'consolidated' as breakdown,
        results.metric,
        null as structure,
        said.source,
        documents.kind
    from {{ ref('fct_company_result') }} as results
    inner join said
        on
            said.dataset = 'company_result'
            and results.document_id = said.document_id
            and results.metric = said.metric
            and results.period_start = said.period_start
            and results.period_end = said.period_end
            and results.currency = said.currency
    left join {{ ref('dim_document') }} as documents on results.document_id = documents.document_id
    where results.period_type in ('quarter', 'instant') and results.is_latest
),

by_source as (
    select
        company_key,
        period_end,
        breakdown,
        metric,
        structure,
        source,
        kind,
        count(*) as figure_count
    from figures
    group by all
),

reconciled as (
    select
        company_key,
        structure,
        metric,
        period_end,
        case
            when count(*) filter (where status = 'differs') > 0 then 'differs'
            when count(*) filter (where status = 'adds_up') > 0 then 'adds_up'
            when count(*) filter (where status = 'incomplete') > 0 then 'incomplete'
            else 'no_total'
        end as reconciliation
    from {{ ref('reconciliation') }}
    group by all
)

select
    by_source.company_key,
    by_source.period_end,
    periods.fiscal_year,
    periods.fiscal_quarter,
    by_source.breakdown,
    by_source.metric,
    by_source.structure,
    by_source.source,
    by_source.kind as document_kind,
    by_source.figure_count::int as figure_count,
    case
        when by_source.breakdown <> 'subline' then reconciled.reconciliation
    end as reconciliation
from by_source
inner join {{ ref('dim_fiscal_period') }} as periods
    on by_source.company_key = periods.company_key and by_source.period_end = periods.period_end
left join reconciled
    on
        by_source.company_key = reconciled.company_key
        and by_source.structure = reconciled.structure
        and by_source.metric = reconciled.metric
        and by_source.period_end = reconciled.period_end
