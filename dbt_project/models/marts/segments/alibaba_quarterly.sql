with subject as (
    select company_key
    from {{ ref('dim_company') }}
    where peer_group = 'subject'
),

company_prints as (
    select
        results.*,
        periods.fiscal_quarter_index
    from {{ ref('fct_company_result') }} as results
    inner join subject on results.company_key = subject.company_key
    inner join {{ ref('dim_fiscal_period') }} as periods
        on results.company_key = periods.company_key and results.period_end = periods.period_end
    where results.period_type in ('quarter', 'instant')
),

revenue_prints as (
    select * from company_prints
    where metric = 'revenue'
),

revenue_growth as (
    {{ year_on_year('revenue_prints', ['company_key']) }}
),

releases as (
    -- The first document that prints the quarter: its release, or the next year's comparative.
    select
        period_end,
        document_id,
        reported_on,
        source_url
    from revenue_prints
    where print_number = 1
),

consolidated as (
    select
        period_end,
        max(period_start) filter (where metric = 'revenue') as period_start,
        max(currency) filter (where metric = 'revenue') as currency,
        max(value_millions) filter (
            where metric = 'revenue'
        ) as revenue,
        max(value_millions) filter (
            where metric = 'operating_income'
        ) as operating_income,
        max(value_millions) filter (
            where metric = 'net_income'
        ) as net_income,
        max(value_millions) filter (
            where metric = 'adjusted_ebita'
        ) as adjusted_ebita,
        max(value_millions) filter (
            where metric = 'operating_cash_flow'
        ) as operating_cash_flow,
        max(value_millions) filter (
            where metric = 'capital_expenditure'
        ) as capital_expenditure,
        max(value_millions) filter (
            where metric = 'free_cash_flow'
        ) as free_cash_flow,
        max(value_millions) filter (
            where metric = 'cash_and_investments'
        ) as cash_and_investments,
        max(value_millions) filter (
            where metric = 'ai_related_product_revenue'
        ) as ai_related_product_revenue,
        max(value_millions) filter (
            where metric = 'share_repurchase'
        ) as share_repurchase,
        max(currency) filter (where metric = 'share_repurchase') as share_repurchase_currency
    from company_prints
    where is_latest
    group by all
),

comparison_prints as (
    select results.*
    from {{ ref('int_comparison_prints') }} as results
    inner join subject on results.company_key = subject.company_key
),

comparison_revenue_prints as (
    select * from comparison_prints
    where metric = 'revenue'
),

comparison_growth as (
    {{ year_on_year('comparison_revenue_prints', ['comparison', 'structure']) }}
),

headline as (
    select
        prints.period_end,
        max(prints.structure) filter (where prints.comparison = 'cloud') as structure,
        max(prints.value_millions) filter (
            where prints.comparison = 'cloud' and prints.metric = 'revenue'
        ) as cloud_revenue,
        max(prints.value_millions) filter (
            where prints.comparison = 'cloud' and prints.metric = 'adjusted_ebita'
        ) as cloud_adjusted_ebita,
        max(growth.growth_percent) filter (
            where prints.comparison = 'cloud' and prints.metric = 'revenue'
        ) as cloud_revenue_yoy_percent,
        max(prints.value_millions) filter (
            where prints.comparison = 'commerce' and prints.metric = 'revenue'
        ) as domestic_commerce_revenue,
        max(growth.growth_percent) filter (
            where prints.comparison = 'commerce' and prints.metric = 'revenue'
        ) as domestic_commerce_revenue_yoy_percent
    from comparison_prints as prints
    left join comparison_growth as growth
        on
            prints.comparison = growth.comparison
            and prints.structure = growth.structure
            and prints.period_end = growth.period_end
    where prints.is_latest and prints.is_reporting_structure
    group by all
),

stated as (
    select
        kpis.as_of as period_end,
        max(kpis.value) filter (
            where kpis.kpi = 'cloud_revenue_growth_stated'
        ) as cloud_revenue_growth_stated,
        max(kpis.value) filter (
            where kpis.kpi = 'cloud_external_revenue_growth_stated'
        ) as cloud_external_revenue_growth_stated,
        max(kpis.value) filter (
            where kpis.kpi = 'ai_product_revenue_triple_digit_streak'
        ) as ai_product_revenue_triple_digit_streak,
        max(kpis.value) filter (
            where kpis.kpi = 'ordinary_shares_outstanding'
        ) as ordinary_shares_outstanding
    from {{ ref('fct_kpi') }} as kpis
    inner join subject on kpis.company_key = subject.company_key
    where kpis.is_latest
    group by all
)

select
    consolidated.period_end,
    consolidated.period_start,
    periods.fiscal_year,
    periods.fiscal_quarter,
    periods.calendar_quarter,
    consolidated.currency,
    consolidated.revenue as revenue_millions,
    {{ in_usd('consolidated.revenue', 'consolidated.currency', 'rates.average_units_per_usd') }}
        as revenue_usd_millions,
    revenue_growth.growth_percent as revenue_yoy_percent,
    consolidated.operating_income as operating_income_millions,
    consolidated.net_income as net_income_millions,
    consolidated.adjusted_ebita as adjusted_ebita_millions,
    consolidated.operating_cash_flow as operating_cash_flow_millions,
    consolidated.capital_expenditure as capital_expenditure_millions,
    {{ in_usd(
        'consolidated.capital_expenditure', 'consolidated.currency', 'rates.average_units_per_usd'
    ) }} as capital_expenditure_usd_millions,
    {{ percent_of('consolidated.capital_expenditure', 'consolidated.revenue') }}
        as capital_intensity_percent,
    consolidated.free_cash_flow as free_cash_flow_millions,
    case
        when consolidated.share_repurchase_currency = 'USD' then consolidated.share_repurchase
    end as share_repurchase_usd_millions,
    consolidated.cash_and_investments as cash_and_investments_millions,
    {{ in_usd(
        'consolidated.cash_and_investments', 'consolidated.currency', 'rates.closing_units_per_usd'
    ) }} as cash_and_investments_usd_millions,
    headline.structure,
    headline.cloud_revenue as cloud_revenue_millions,
    {{ in_usd('headline.cloud_revenue', 'consolidated.currency', 'rates.average_units_per_usd') }}
        as cloud_revenue_usd_millions,
    headline.cloud_adjusted_ebita as cloud_adjusted_ebita_millions,
    {{ percent_of('headline.cloud_adjusted_ebita', 'headline.cloud_revenue') }}
        as cloud_margin_percent,
    headline.cloud_revenue_yoy_percent,
    stated.cloud_revenue_growth_stated as cloud_revenue_yoy_stated_percent,
    stated.cloud_external_revenue_growth_stated as cloud_external_revenue_yoy_stated_percent,
    headline.domestic_commerce_revenue as domestic_commerce_revenue_millions,
    headline.domestic_commerce_revenue_yoy_percent,
    consolidated.ai_related_product_revenue as ai_related_product_revenue_millions,
    round(stated.ai_product_revenue_triple_digit_streak)::int as ai_triple_digit_streak_quarters,
    stated.ordinary_shares_outstanding as ordinary_shares_outstanding_millions,
    releases.document_id,
    releases.reported_on,
    releases.source_url
from consolidated
inner join releases on consolidated.period_end = releases.period_end
inner join subject on true
inner join {{ ref('dim_fiscal_period') }} as periods
    on subject.company_key = periods.company_key and consolidated.period_end = periods.period_end
left join revenue_growth on consolidated.period_end = revenue_growth.period_end
left join headline on consolidated.period_end = headline.period_end
left join stated on consolidated.period_end = stated.period_end
left join {{ ref('int_fx_period_average') }} as rates
    on
        consolidated.period_start = rates.period_start
        and consolidated.period_end = rates.period_end
        and consolidated.currency = rates.currency
