{%- set one_line = 'company_key, structure, business_line, from_sublines, metric' %}
with prints as (
    select * from {{ ref('int_business_line_prints') }}
),

growth as (
    {{ year_on_year(
        'prints',
        ['company_key', 'structure', 'business_line', 'from_sublines', 'metric'],
        alike=['segment_keys'],
        alike_across=['table_keys']
    ) }}
),

latest as (
    select
        *,
        {{ trailing_twelve_months('value_millions', one_line, alike='segment_keys') }}
            as ttm_millions
    from prints
    where is_latest
),

-- Revenue and profit of each line side by side, under every structure that has figures.
figures as (
    select
        latest.company_key,
        latest.structure,
        latest.business_line,
        latest.from_sublines,
        latest.period_start,
        latest.period_end,
        latest.currency,
        max(profit_metrics.profit_metric) as profit_metric,
        max(latest.segment_keys) filter (
            where latest.metric = 'revenue'
        ) as revenue_segment_keys,
        max(latest.segment_keys) filter (
            where latest.metric = profit_metrics.profit_metric
        ) as profit_segment_keys,
        max(latest.value_millions) filter (
            where latest.metric = 'revenue'
        ) as revenue_millions,
        max(latest.value_millions) filter (
            where latest.metric = profit_metrics.profit_metric
        ) as profit_millions,
        max(latest.ttm_millions) filter (
            where latest.metric = 'revenue'
        ) as revenue_ttm_millions,
        max(latest.ttm_millions) filter (
            where latest.metric = profit_metrics.profit_metric
        ) as profit_ttm_millions,
        max(latest.document_id) filter (
            where latest.metric = 'revenue'
        ) as revenue_document_id,
        max(latest.document_id) filter (
            where latest.metric = profit_metrics.profit_metric
        ) as profit_document_id
    from latest
    inner join {{ ref('int_profit_metric') }} as profit_metrics
        on
            latest.company_key = profit_metrics.company_key
            and latest.structure = profit_metrics.structure
    where latest.metric = 'revenue' or latest.metric = profit_metrics.profit_metric
    group by all
),

-- Which structures speak for a quarter. Segments go before revenue lines: a company that prints
-- both divides the same total twice.
structures_of_quarter as (
    select distinct
        company_key,
        period_end,
        structure,
        breakdown,
        case breakdown when 'segment' then 0 else 1 end as breakdown_order,
        is_reporting_structure,
        is_newest_structure
    from {{ ref('fct_segment_result') }}
    where breakdown <> 'subline' and period_type = 'quarter'
),

reported as (
    select
        figures.*,
        structures.breakdown,
        structures.breakdown_order = min(structures.breakdown_order) over (
            partition by figures.company_key, figures.period_end
        ) as is_first_breakdown
    from figures
    inner join structures_of_quarter as structures
        on
            figures.company_key = structures.company_key
            and figures.structure = structures.structure
            and figures.period_end = structures.period_end
            and structures.is_reporting_structure
    qualify row_number() over (
        partition by figures.company_key, figures.business_line, figures.period_end
        order by structures.breakdown_order, figures.structure
    ) = 1
),

over_time as (
    select
        *,
        coalesce(revenue_document_id, profit_document_id) as document_id,
        lag(structure) over (
            partition by company_key, business_line order by period_end
        ) as structure_before
    from reported
),

newest as (
    select
        figures.company_key,
        figures.business_line,
        figures.period_end,
        figures.structure,
        figures.from_sublines,
        figures.revenue_millions,
        figures.profit_millions,
        structures.breakdown
    from figures
    inner join structures_of_quarter as structures
        on
            figures.company_key = structures.company_key
            and figures.structure = structures.structure
            and figures.period_end = structures.period_end
            and structures.is_newest_structure
)

select
    over_time.company_key,
    over_time.business_line,
    over_time.period_end,
    over_time.period_start,
    periods.fiscal_year,
    periods.fiscal_quarter,
    periods.calendar_quarter,
    over_time.structure,
    over_time.breakdown,
    coalesce(over_time.revenue_segment_keys, over_time.profit_segment_keys) as segment_keys,
    over_time.from_sublines,
    coalesce(
        over_time.is_first_breakdown
        and not over_time.from_sublines
        and position('|revenue|' in '|' || structures.adds_up_to || '|') > 0,
        false
    ) as is_part_of_total,
    over_time.structure_before,
    coalesce(over_time.structure_before <> over_time.structure, false) as is_structure_break,
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
    profit_growth.growth_percent as profit_yoy_percent,
    over_time.revenue_ttm_millions,
    over_time.profit_ttm_millions,
    case
        when over_time.business_line <> 'elimination'
            then {{ percent_of('over_time.revenue_millions', 'totals.value_millions') }}
    end as share_of_company_revenue_percent,
    {{ percent_of('over_time.profit_millions', 'over_time.revenue_millions') }} as margin_percent,
    newest.structure as newest_structure,
    newest.from_sublines as newest_structure_from_sublines,
    newest.revenue_millions as newest_structure_revenue_millions,
    newest.profit_millions as newest_structure_profit_millions,
    over_time.document_id,
    over_time.profit_document_id,
    documents.reported_on,
    documents.source_quality,
    documents.source_url
from over_time
inner join {{ ref('dim_fiscal_period') }} as periods
    on over_time.company_key = periods.company_key and over_time.period_end = periods.period_end
inner join {{ ref('dim_structure') }} as structures
    on over_time.company_key = structures.company_key and over_time.structure = structures.structure
left join newest
    on
        over_time.company_key = newest.company_key
        and over_time.business_line = newest.business_line
        and over_time.period_end = newest.period_end
        and over_time.breakdown = newest.breakdown
left join {{ ref('dim_document') }} as documents on over_time.document_id = documents.document_id
left join growth as revenue_growth
    on
        over_time.company_key = revenue_growth.company_key
        and over_time.structure = revenue_growth.structure
        and over_time.business_line = revenue_growth.business_line
        and over_time.from_sublines = revenue_growth.from_sublines
        and over_time.period_end = revenue_growth.period_end
        and revenue_growth.metric = 'revenue'
left join growth as profit_growth
    on
        over_time.company_key = profit_growth.company_key
        and over_time.structure = profit_growth.structure
        and over_time.business_line = profit_growth.business_line
        and over_time.from_sublines = profit_growth.from_sublines
        and over_time.period_end = profit_growth.period_end
        and over_time.profit_metric = profit_growth.metric
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
