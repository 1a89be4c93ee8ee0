with prints as (
    select
        results.*,
        periods.fiscal_quarter_index
    from {{ ref('fct_segment_result') }} as results
    inner join {{ ref('dim_fiscal_period') }} as periods
        on results.company_key = periods.company_key and results.period_end = periods.period_end
    where results.period_type = 'quarter'
),

revenue_prints as (
    select * from prints
    where metric = 'revenue'
),

revenue_growth as (
    {{ year_on_year('revenue_prints', ['segment_key']) }}
),

newest as (
    select
        prints.company_key,
        prints.segment_key,
        prints.period_start,
        prints.period_end,
        prints.structure,
        prints.breakdown,
        prints.currency,
        prints.fiscal_quarter_index,
        prints.is_reporting_structure,
        prints.is_newest_structure,
        max(profit_metrics.profit_metric) as profit_metric,
        max(prints.value_millions) filter (
            where prints.metric = 'revenue'
        ) as revenue_millions,
        max(prints.value_millions) filter (
            where prints.metric = profit_metrics.profit_metric
        ) as profit_millions,
        max(prints.document_id) filter (
            where prints.metric = 'revenue'
        ) as revenue_document_id,
        max(prints.document_id) filter (
            where prints.metric = profit_metrics.profit_metric
        ) as profit_document_id,
        coalesce(
            max(prints.basis) filter (where prints.metric = 'revenue'),
            max(prints.basis) filter (where prints.metric = profit_metrics.profit_metric)
        ) as basis
    from prints
    inner join {{ ref('int_profit_metric') }} as profit_metrics
        on
            prints.company_key = profit_metrics.company_key
            and prints.structure = profit_metrics.structure
    where
        prints.is_latest
        and (prints.metric = 'revenue' or prints.metric = profit_metrics.profit_metric)
    group by all
),

over_time as (
    select
        *,
        coalesce(revenue_document_id, profit_document_id) as document_id,
        case
            when
                fiscal_quarter_index - 1
                = lag(fiscal_quarter_index) over (
                    partition by segment_key order by fiscal_quarter_index
                )
                then lag(revenue_millions) over (
                    partition by segment_key order by fiscal_quarter_index
                )
        end as revenue_quarter_before_millions,
        {{ trailing_twelve_months('revenue_millions', 'segment_key') }} as revenue_ttm_millions,
        {{ trailing_twelve_months('profit_millions', 'segment_key') }} as profit_ttm_millions
    from newest
)

select
    over_time.company_key,
    over_time.segment_key,
    over_time.period_end,
    over_time.period_start,
    periods.fiscal_year,
    periods.fiscal_quarter,
    periods.calendar_quarter,
    over_time.structure,
    over_time.breakdown,
    segments.name as segment_name,
    segments.business_line,
    over_time.revenue_millions,
    over_time.profit_metric,
    over_time.profit_millions,
    over_time.currency,
    {{ in_usd('over_time.revenue_millions', 'over_time.currency', 'rates.average_units_per_usd') }}
        as revenue_usd_millions,
    {{ in_usd('over_time.profit_millions', 'over_time.currency', 'rates.average_units_per_usd') }}
        as profit_usd_millions,
    revenue_growth.growth_percent as revenue_yoy_percent,
    revenue_growth.document_id as revenue_yoy_document_id,
    revenue_growth.base_document_id as revenue_yoy_base_document_id,
    {{ growth_percent(
        'over_time.revenue_millions', 'over_time.revenue_quarter_before_millions'
    ) }} as revenue_qoq_percent,
    over_time.revenue_ttm_millions,
    over_time.profit_ttm_millions,
    case
        when segments.business_line <> 'elimination' or segments.business_line is null
            then {{ percent_of('over_time.revenue_millions', 'totals.value_millions') }}
    end as share_of_company_revenue_percent,
    {{ percent_of('over_time.profit_millions', 'over_time.revenue_millions') }} as margin_percent,
    over_time.basis,
    over_time.is_reporting_structure,
    over_time.is_newest_structure,
    over_time.document_id,
    over_time.profit_document_id,
    documents.reported_on,
    documents.source_quality,
    documents.source_url
from over_time
inner join {{ ref('dim_segment') }} as segments on over_time.segment_key = segments.segment_key
inner join {{ ref('dim_fiscal_period') }} as periods
    on over_time.company_key = periods.company_key and over_time.period_end = periods.period_end
left join {{ ref('dim_document') }} as documents on over_time.document_id = documents.document_id
left join revenue_growth
    on
        over_time.segment_key = revenue_growth.segment_key
        and over_time.period_end = revenue_growth.period_end
left join {{ ref('fct_company_result') }} as totals
    on
        over_time.company_key = totals.company_key
        and totals.metric = 'revenue'
        and over_time.period_start = totals.period_start
        and over_time.period_end = totals.period_end
        and over_time.currency = totals.currency
        and totals.is_latest
left join {{ ref('int_fx_period_average') }} as rates
    on
        over_time.period_start = rates.period_start
        and over_time.period_end = rates.period_end
        and over_time.currency = rates.currency
