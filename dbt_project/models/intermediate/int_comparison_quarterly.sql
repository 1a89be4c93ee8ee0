-- What a company prints as its total stands beside the sums of segments, under an empty structure.
with company_totals as (
    select
        members.comparison,
        results.company_key,
        '' as structure,
        results.metric,
        results.period_start,
        results.period_end,
        results.document_id,
        periods.fiscal_quarter_index,
        results.currency,
        '' as segment_keys,
        results.value_millions,
        results.ordered_on,
        results.source_quality,
        results.document_rank,
        true as is_reporting_structure,
        results.is_latest
    from {{ ref('fct_company_result') }} as results
    inner join {{ ref('dim_comparison_segment') }} as members
        on results.company_key = members.company_key and members.is_company_total
    inner join {{ ref('dim_fiscal_period') }} as periods
        on results.company_key = periods.company_key and results.period_end = periods.period_end
    where results.period_type = 'quarter'
),

prints as (
    select
        comparison,
        company_key,
        structure,
        metric,
        period_start,
        period_end,
        document_id,
        fiscal_quarter_index,
        currency,
        segment_keys,
        value_millions,
        ordered_on,
        source_quality,
        document_rank,
        is_reporting_structure,
        is_latest
    from {{ ref('int_comparison_prints') }}
    union all
    select * from company_totals
),

profit_metrics as (
    select
        company_key,
        structure,
        profit_metric
    from {{ ref('int_profit_metric') }}
    union all
    select
        company_key,
        structure,
        case
            when count(*) filter (where metric = 'adjusted_ebita') > 0 then 'adjusted_ebita'
            when count(*) filter (where metric = 'operating_income') > 0 then 'operating_income'
        end as profit_metric
    from company_totals
    group by company_key, structure
),

revenue_prints as (
    select
        *,
        min(ordered_on) over (
            partition by comparison, company_key, structure, period_end
        ) as first_printed_on
    from prints
    where metric = 'revenue'
),

revenue_growth as (
    {{ year_on_year(
        'revenue_prints',
        ['comparison', 'company_key', 'structure'],
        alike=['currency']
    ) }}
),

-- The structure that the quarter was first reported in. Of a segment and a revenue line that both
-- stand for the comparison, the one that was printed first.
reported as (
    select *
    from revenue_prints
    where is_latest and is_reporting_structure
    qualify row_number() over (
        partition by comparison, company_key, period_end order by first_printed_on, structure
    ) = 1
),

over_time as (
    select
        *,
        lag(structure) over (
            partition by comparison, company_key order by period_end
        ) as structure_before
    from reported
),

members as (
    select distinct
        comparison,
        company_key,
        coalesce(structure, '') as structure,
        is_company_total,
        is_in_share,
        note
    from {{ ref('dim_comparison_segment') }}
)

select
    over_time.comparison,
    over_time.company_key,
    periods.calendar_quarter,
    over_time.period_start,
    over_time.period_end,
    periods.fiscal_year,
    periods.fiscal_quarter,
    nullif(over_time.structure, '') as structure,
    nullif(over_time.structure_before, '') as structure_before,
    coalesce(over_time.structure_before <> over_time.structure, false) as is_structure_break,
    members.is_company_total,
    nullif(over_time.segment_keys, '') as segment_keys,
    over_time.value_millions as revenue_millions,
    over_time.currency,
    {{ in_usd('over_time.value_millions', 'over_time.currency', 'rates.average_units_per_usd') }}
        as revenue_usd_millions,
    revenue_growth.growth_percent as revenue_yoy_percent,
    revenue_growth.document_id as revenue_yoy_document_id,
    revenue_growth.base_document_id as revenue_yoy_base_document_id,
    profits.metric as profit_metric,
    profits.value_millions as profit_millions,
    {{ in_usd('profits.value_millions', 'over_time.currency', 'rates.average_units_per_usd') }}
        as profit_usd_millions,
    {{ percent_of('profits.value_millions', 'over_time.value_millions') }} as margin_percent,
    totals.value_millions as group_revenue_millions,
    {{ percent_of('over_time.value_millions', 'totals.value_millions') }} as share_of_group_percent,
    members.is_in_share,
    members.note,
    over_time.document_id,
    profits.document_id as profit_document_id
from over_time
inner join {{ ref('dim_fiscal_period') }} as periods
    on over_time.company_key = periods.company_key and over_time.period_end = periods.period_end
inner join members
    on
        over_time.comparison = members.comparison
        and over_time.company_key = members.company_key
        and over_time.structure = members.structure
inner join profit_metrics
    on
        over_time.company_key = profit_metrics.company_key
        and over_time.structure = profit_metrics.structure
-- Profit of the very segments that revenue is added up from.
left join prints as profits
    on
        over_time.comparison = profits.comparison
        and over_time.company_key = profits.company_key
        and over_time.structure = profits.structure
        and over_time.segment_keys = profits.segment_keys
        and over_time.period_start = profits.period_start
        and over_time.period_end = profits.period_end
        and over_time.currency = profits.currency
        and profit_metrics.profit_metric = profits.metric
        and profits.is_latest
left join revenue_growth
    on
        over_time.comparison = revenue_growth.comparison
        and over_time.company_key = revenue_growth.company_key
        and over_time.structure = revenue_growth.structure
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
