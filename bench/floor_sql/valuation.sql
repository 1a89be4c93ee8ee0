create table valuation_daily as
with splits as (
    select securities.company_key, actions.ex_date, actions.value
    from counting('corporate_action') as actions
    inner join securities on actions.ticker = securities.security_key
    where actions.action = 'split' and securities.security_type = 'common'
),

counts_as_stated as (
    select
        kpis.company_key,
        greatest(documents.reported_on, kpis.as_of) as known_on,
        arg_max(kpis.as_of, kpis.as_of) as as_of,
        arg_max(documents.reported_on, kpis.as_of) as reported_on,
        arg_max(kpis.value, kpis.as_of) as shares_millions,
        arg_max(kpis.document_id, kpis.as_of) as document_id,
        arg_max(kpis.source_url, kpis.as_of) as source_url
    from fct_kpi as kpis
    inner join dim_document as documents using (document_id)
    where kpis.kpi = 'ordinary_shares_outstanding' and documents.reported_on is not null
    group by all
),

later_splits as (
    select
        counts_as_stated.company_key,
        counts_as_stated.as_of,
        product(splits.value) as factor,
        count(*) filter (where splits.ex_date <= counts_as_stated.reported_on) > 0 as is_unknown
    from counts_as_stated
    inner join splits
        on
            counts_as_stated.company_key = splits.company_key
            and counts_as_stated.as_of < splits.ex_date
    group by all
),

counts as (
    select
        counts_as_stated.* replace (shares_millions::double * coalesce(factor, 1) as shares_millions),
        case when is_unknown then null else shares_millions::double * coalesce(factor, 1) end
            as shares_to_value
    from counts_as_stated
    left join later_splits using (company_key, as_of)
),

revenue as (
    select
        company_key,
        reported_on as known_on,
        period_end,
        case period_type when 'quarter' then 'four_quarters' else 'fiscal_year' end as basis,
        case period_type
            when 'year' then value
            when 'quarter' then case when count(*) over four_quarters = 4 then sum(value) over four_quarters end
        end as value,
        document_id,
        source_url
    from fct_company_result
    where metric = 'revenue' and is_latest and reported_on is not null
    window four_quarters as (
        partition by company_key, period_type
        order by period_end rows between 3 preceding and current row
    )
),

known as (
    select * from revenue
    qualify row_number() over (
        partition by company_key, known_on order by value is null, period_end desc
    ) = 1
)

select
    prices.security_key,
    prices.session_date,
    securities.company_key,
    securities.name as security_name,
    prices.observation_frequency,
    prices.close,
    prices.currency,
    prices.split_basis,
    securities.ordinary_shares_per_unit,
    counts.shares_millions as ordinary_shares_millions,
    counts.as_of as share_count_as_of,
    counts.reported_on as share_count_reported_on,
    counts.document_id as share_count_document_id,
    counts.source_url as share_count_source_url,
    cast(prices.close * counts.shares_to_value as decimal(24, 6)) as market_cap_usd_millions,
    known.value as revenue_ttm_millions,
    known.basis as revenue_ttm_basis,
    known.period_end as revenue_ttm_period_end,
    known.known_on as revenue_ttm_reported_on,
    known.document_id as revenue_ttm_document_id,
    known.source_url as revenue_ttm_source_url,
    case
        when
            date_diff('day', known.period_end, prices.session_date)
            <= case known.basis when 'fiscal_year' then 490 else 200 end
            and known.value > 0
            then round(
                cast(prices.close * counts.shares_to_value as decimal(24, 6))::double
                / known.value::double,
                8
            )
    end as price_to_sales,
    prices.source_url
from fct_daily_price as prices
inner join securities using (security_key)
asof left join counts
    on securities.company_key = counts.company_key and prices.session_date >= counts.known_on
asof left join known
    on securities.company_key = known.company_key and prices.session_date >= known.known_on
where securities.company_key is not null;
