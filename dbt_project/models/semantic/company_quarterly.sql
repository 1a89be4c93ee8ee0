with company_prints as (
    select
        results.*,
        periods.fiscal_quarter_index
    from {{ ref('fct_company_result') }} as results
    inner join {{ ref('dim_fiscal_period') }} as periods
        on results.company_key = periods.company_key and results.period_end = periods.period_end
    where results.period_type = 'quarter'
),

revenue_prints as (
    select * from company_prints
    where metric = 'revenue'
),

revenue_growth as (
    {{ year_on_year('revenue_prints', ['company_key']) }}
),

revenue as (
    select * from revenue_prints
    where is_latest
),

capital_expenditure as (
    select * from company_prints
    where metric = 'capital_expenditure' and is_latest
),

repurchases as (
    select
        company_key,
        period_end,
        value_millions,
        {{ trailing_twelve_months('value_millions', 'company_key') }} as ttm_millions
    from company_prints
    where metric = 'share_repurchase' and currency = 'USD' and is_latest
),

last_week as (
    {% for days_before in range(7) -%}
        select
            company_key,
            period_end,
            {{ add_days('period_end', -days_before) }} as session_date
        from {{ ref('dim_fiscal_period') }}
        {{ 'union all' if not loop.last }}
    {% endfor -%}
),

-- At the quarter's end as it was known then; every listing of a company values all of it.
market_caps as (
    select
        last_week.company_key,
        last_week.period_end,
        last_week.session_date as market_cap_date,
        valuations.market_cap_usd_millions
    from last_week
    inner join {{ ref('valuation_daily') }} as valuations
        on
            last_week.company_key = valuations.company_key
            and last_week.session_date = valuations.session_date
    where valuations.market_cap_usd_millions is not null
    qualify row_number() over (
        partition by last_week.company_key, last_week.period_end
        order by
            valuations.session_date desc,
            case when valuations.currency = 'USD' then 0 else 1 end asc,
            valuations.security_key asc
    ) = 1
)

select
    revenue.company_key,
    revenue.period_end,
    revenue.period_start,
    periods.fiscal_year,
    periods.fiscal_quarter,
    periods.calendar_quarter,
    revenue.currency,
    revenue.value_millions as revenue_millions,
    {{ in_usd('revenue.value_millions', 'revenue.currency', 'rates.average_units_per_usd') }}
        as revenue_usd_millions,
    revenue_growth.growth_percent as revenue_yoy_percent,
    capital_expenditure.value_millions as capital_expenditure_millions,
    {{ in_usd(
        'capital_expenditure.value_millions', 'revenue.currency', 'rates.average_units_per_usd'
    ) }} as capital_expenditure_usd_millions,
    {{ percent_of('capital_expenditure.value_millions', 'revenue.value_millions') }}
        as capital_intensity_percent,
    clouds.revenue_millions as cloud_revenue_millions,
    clouds.revenue_usd_millions as cloud_revenue_usd_millions,
    clouds.profit_millions as cloud_profit_millions,
    clouds.profit_usd_millions as cloud_profit_usd_millions,
    clouds.margin_percent as cloud_margin_percent,
    repurchases.value_millions as share_repurchase_usd_millions,
    repurchases.ttm_millions as share_repurchase_ttm_usd_millions,
    market_caps.market_cap_usd_millions,
    market_caps.market_cap_date,
    {{ percent_of('repurchases.ttm_millions', 'market_caps.market_cap_usd_millions') }}
        as buyback_yield_percent,
    revenue.document_id,
    revenue.reported_on,
    revenue.source_url
from revenue
inner join {{ ref('dim_fiscal_period') }} as periods
    on revenue.company_key = periods.company_key and revenue.period_end = periods.period_end
left join revenue_growth
    on
        revenue.company_key = revenue_growth.company_key
        and revenue.period_end = revenue_growth.period_end
left join capital_expenditure
    on
        revenue.company_key = capital_expenditure.company_key
        and revenue.period_start = capital_expenditure.period_start
        and revenue.period_end = capital_expenditure.period_end
        and revenue.currency = capital_expenditure.currency
left join repurchases
    on
        revenue.company_key = repurchases.company_key
        and revenue.period_end = repurchases.period_end
left join {{ ref('cloud_peers_quarterly') }} as clouds
    on
        revenue.company_key = clouds.company_key
        and revenue.period_start = clouds.period_start
        and revenue.period_end = clouds.period_end
        and revenue.currency = clouds.currency
left join market_caps
    on
        revenue.company_key = market_caps.company_key
        and revenue.period_end = market_caps.period_end
left join {{ ref('int_fx_period_average') }} as rates
    on
        revenue.period_start = rates.period_start
        and revenue.period_end = rates.period_end
        and revenue.currency = rates.currency
