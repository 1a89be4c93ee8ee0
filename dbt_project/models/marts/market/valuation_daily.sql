{#
    What was known on a day is held in spans: from the day on which something was reported until the
    next report. A price takes the span that its session lies in, so nothing reported later can count.
#}
{{ config(
    materialized=kept_as(),
    unique_key=['security_key', 'session_date'],
    on_schema_change='fail',
    meta={'in_slices': true},
) }}
{{ waits_for(['int_valuation_restarts', 'security_slices']) }}
{#  Four quarters are trailing while the next one may still be unreported: 92 days and the lag. #}
{% set quarters_trail_for_days = 200 %}
{#  A fiscal year alone, until the annual report of the next one. #}
{% set years_trail_for_days = 490 %}
{#  The ECB pauses for four or five days at most: a longer gap means that rates are missing. #}
{% set longest_pause_days = 7 %}
{% set quarter_keys = 'company_key, known_on' %}
{#  A split of an ADS within so many days of one of the shares is the same. #}
{% set same_split_days = 10 %}
{% set first_to_do = first_restart('int_valuation_restarts') %}

with securities_to_do as (
    select
        securities.*,
        {{ 'restarts.restart_on' if goes_on() else beginning() }} as restart_on
    from {{ ref('dim_security') }} as securities
    {% if goes_on() %}
        inner join {{ ref('int_valuation_restarts') }} as restarts
            on securities.security_key = restarts.security_key
    {% endif %}
    where {{ in_slice('securities.security_key') }}
),

prices as (
    select
        prices.security_key,
        prices.session_date,
        prices.close,
        prices.currency,
        prices.observation_frequency,
        prices.split_basis,
        prices.split_factor,
        prices.source_url,
        securities.company_key,
        securities.name as security_name,
        securities.security_type in ('common', 'ordinary') as is_share,
        securities.ordinary_shares_per_unit,
        companies.reporting_currency
    from {{ ref('fct_daily_price') }} as prices
    inner join securities_to_do as securities
        on
            prices.security_key = securities.security_key
            and prices.session_date >= securities.restart_on
    inner join {{ ref('dim_company') }} as companies
        on securities.company_key = companies.company_key
    where
        prices.session_date >= {{ first_to_do }}
        and {{ in_slice('prices.security_key') }}
),

-- Splits: prices and counts are both brought to the splits of today.

splits as (
    select
        company_key,
        effective_on,
        new_shares_per_old
    from {{ ref('int_share_split') }}
),

splits_after_price as (
    select
        bases.company_key,
        bases.split_basis,
        {{ product('splits.new_shares_per_old', 'splits.effective_on') }} as share_splits
    from (
        select distinct
            company_key,
            split_basis
        from prices
    ) as bases
    inner join splits
        on bases.company_key = splits.company_key and bases.split_basis < splits.effective_on
    group by bases.company_key, bases.split_basis
),

ads_splits_unexplained as (
    select
        securities.security_key,
        max(actions.ex_date) as newest_ex_date
    from {{ ref('fct_corporate_action') }} as actions
    inner join {{ ref('dim_security') }} as securities
        on actions.ticker = securities.security_key
    left join splits
        on
            securities.company_key = splits.company_key
            and abs({{ days_between('actions.ex_date', 'splits.effective_on') }})
            <= {{ same_split_days }}
    where
        actions.action = 'split'
        and securities.security_type in ('ads', 'adr')
        and splits.company_key is null
    group by securities.security_key
),

-- Share counts, and which of them was the newest known.

share_counts as (
    select
        kpis.company_key,
        kpis.as_of,
        kpis.value as shares_millions,
        kpis.qualifier,
        kpis.source_url,
        documents.document_id,
        documents.reported_on,
        documents.ordered_on,
        documents.source_quality,
        documents.document_rank,
        greatest(documents.reported_on, kpis.as_of) as known_on
    from {{ ref('fct_kpi') }} as kpis
    inner join {{ ref('dim_document') }} as documents on kpis.document_id = documents.document_id
    where
        kpis.kpi = 'ordinary_shares_outstanding'
        and kpis.unit = 'million shares'
        and documents.reported_on is not null
        and kpis.company_key in (select to_do.company_key from securities_to_do as to_do)
),

ranked_counts as (
    select
        *,
        row_number() over (
            partition by company_key
            order by as_of desc, {{ newest_print_first() }}
        ) as preference
    from share_counts
),

report_days as (
    select
        company_key,
        known_on,
        min(min(preference)) over (
            partition by company_key order by known_on
        ) as best_so_far
    from ranked_counts
    group by company_key, known_on
),

counts_known as (
    select
        counts.*,
        report_days.known_on as valid_from
    from report_days
    inner join ranked_counts as counts
        on
            report_days.company_key = counts.company_key
            and report_days.best_so_far = counts.preference
),

splits_after_count as (
    select
        dated.company_key,
        dated.as_of,
        dated.reported_on,
        {{ product('splits.new_shares_per_old', 'splits.effective_on') }} as share_splits,
        count(*) filter (where splits.effective_on <= dated.reported_on) as before_report
    from (
        select distinct
            company_key,
            as_of,
            reported_on
        from share_counts
    ) as dated
    inner join splits
        on dated.company_key = splits.company_key and dated.as_of < splits.effective_on
    group by dated.company_key, dated.as_of, dated.reported_on
),

count_spans as (
    select
        counts.*,
        coalesce(later.share_splits, 1.0::double) as share_splits,
        coalesce(later.before_report, 0) > 0 as is_in_unknown_splits,
        lead(counts.valid_from) over (
            partition by counts.company_key order by counts.valid_from
        ) as valid_until
    from counts_known as counts
    left join splits_after_count as later
        on
            counts.company_key = later.company_key
            and counts.as_of = later.as_of
            and counts.reported_on = later.reported_on
),

-- Trailing revenue, from the newest print of each quarter that was known.

revenue_prints as (
    select
        results.company_key,
        results.period_type,
        results.period_end,
        periods.fiscal_quarter_index,
        results.value_millions,
        {{ in_usd('results.value_millions', 'results.currency', 'rates.average_units_per_usd') }}
            as value_usd_millions,
        results.document_id,
        results.source_url,
        results.reported_on,
        results.ordered_on,
        results.source_quality,
        results.document_rank
    from {{ ref('fct_company_result') }} as results
    inner join {{ ref('dim_company') }} as companies
        on
            results.company_key = companies.company_key
            and results.currency = companies.reporting_currency
    inner join {{ ref('dim_fiscal_period') }} as periods
        on results.company_key = periods.company_key and results.period_end = periods.period_end
    left join {{ ref('int_fx_period_average') }} as rates
        on
            results.period_start = rates.period_start
            and results.period_end = rates.period_end
            and results.currency = rates.currency
    where
        results.metric = 'revenue'
        and results.period_type in ('quarter', 'year')
        and results.reported_on is not null
        and results.company_key in (select to_do.company_key from securities_to_do as to_do)
),

revenue_report_days as (
    select
        company_key,
        reported_on,
        coalesce(
            lead(reported_on) over (partition by company_key order by reported_on),
            date '9999-12-31'
        ) as valid_until
    from (
        select distinct
            company_key,
            reported_on
        from revenue_prints
    ) as distinct_days
),

revenue_known as (
    select
        prints.*,
        report_days.reported_on as known_on,
        report_days.valid_until
    from revenue_report_days as report_days
    inner join revenue_prints as prints
        on
            report_days.company_key = prints.company_key
            and report_days.reported_on >= prints.reported_on
    where report_days.valid_until > {{ first_to_do }}
    qualify row_number() over (
        partition by
            report_days.company_key,
            report_days.reported_on,
            prints.period_type,
            prints.period_end
        order by {{ newest_print_first('prints.') }}
    ) = 1
),

trailing_revenue as (
    select
        company_key,
        known_on,
        valid_until,
        period_end,
        'four_quarters' as revenue_basis,
        {{ trailing_twelve_months('value_millions', quarter_keys) }} as value_millions,
        {{ trailing_twelve_months('value_usd_millions', quarter_keys) }} as value_usd_millions,
        max(reported_on) over (
            partition by {{ quarter_keys }}
            order by fiscal_quarter_index
            rows between 3 preceding and current row
        ) as reported_on,
        document_id,
        source_url
    from revenue_known
    where period_type = 'quarter'
    union all
    select
        company_key,
        known_on,
        valid_until,
        period_end,
        'fiscal_year' as revenue_basis,
        value_millions,
        value_usd_millions,
        reported_on,
        document_id,
        source_url
    from revenue_known
    where period_type = 'year'
),

revenue_spans as (
    select *
    from trailing_revenue
    qualify row_number() over (
        partition by company_key, known_on
        order by
            case when value_millions is null then 1 else 0 end,
            period_end desc,
            revenue_basis desc
    ) = 1
),

-- Exchange rates of each day: the ECB's of that day or the last before it.

rates_by_day as (
    select
        currencies.currency,
        calendar.calendar_date,
        rates.rate_date,
        rates.units_per_usd,
        count(rates.rate_date) over (
            partition by currencies.currency order by calendar.calendar_date
        ) as rates_up_to_here
    from (
        select currency from prices
        union
        select reporting_currency as currency from prices
    ) as currencies
    inner join {{ ref('dim_date') }} as calendar on currencies.currency <> 'USD'
    left join {{ ref('int_fx_daily') }} as rates
        on currencies.currency = rates.currency and calendar.calendar_date = rates.rate_date
),

rates_filled as (
    select
        currency,
        calendar_date,
        max(rate_date) over last_rate as rate_date,
        max(units_per_usd) over last_rate as units_per_usd
    from rates_by_day
    window last_rate as (partition by currency, rates_up_to_here)
),

exchange_rates as (
    select
        currency,
        calendar_date,
        units_per_usd
    from rates_filled
    where {{ days_between('rate_date', 'calendar_date') }} <= {{ longest_pause_days }}
),

first_known as (
    select
        company_key,
        min(known_on) as first_count_on
    from share_counts
    group by company_key
),

together as (
    select
        prices.security_key,
        prices.session_date,
        prices.company_key,
        prices.security_name,
        prices.observation_frequency,
        prices.close,
        prices.currency,
        prices.split_basis,
        prices.ordinary_shares_per_unit,
        prices.reporting_currency,
        prices.source_url,
        case
            when prices.currency = 'USD' then 1.0::double else price_rates.units_per_usd
        end as price_units_per_usd,
        case
            when prices.reporting_currency = 'USD' then 1.0::double
            else reporting_rates.units_per_usd
        end as reporting_units_per_usd,
        counts.as_of as share_count_as_of,
        counts.reported_on as share_count_reported_on,
        counts.shares_millions,
        counts.qualifier,
        counts.document_id as share_count_document_id,
        counts.source_url as share_count_source_url,
        counts.share_splits
        / case
            when prices.is_share then coalesce(splits_after_price.share_splits, 1.0::double)
            else prices.split_factor
        end as split_adjustment,
        revenue.period_end as revenue_period_end,
        revenue.revenue_basis,
        revenue.reported_on as revenue_reported_on,
        revenue.document_id as revenue_document_id,
        revenue.source_url as revenue_source_url,
        revenue.value_millions as revenue_millions,
        revenue.value_usd_millions as revenue_usd_millions,
        case
            when prices.close is null then 'no_close'
            when counts.company_key is null and first_known.company_key is null
                then 'no_share_count'
            when counts.company_key is null then 'share_count_not_yet_reported'
            when prices.ordinary_shares_per_unit is null then 'shares_per_unit_unknown'
            when counts.is_in_unknown_splits then 'share_count_in_unknown_splits'
            when prices.split_basis is null then 'price_in_unknown_splits'
            when
                ads_splits_unexplained.newest_ex_date > least(counts.as_of, prices.split_basis)
                then 'ads_split_unexplained'
            when
                prices.currency <> 'USD' and price_rates.units_per_usd is null
                then 'no_exchange_rate'
        end as market_cap_reason,
        case
            when revenue.company_key is null then 'no_revenue_reported'
            when revenue.value_millions is null then 'fewer_than_four_quarters'
            when
                {{ days_between('revenue.period_end', 'prices.session_date') }}
                > case revenue.revenue_basis
                    when 'fiscal_year' then {{ years_trail_for_days }}
                    else {{ quarters_trail_for_days }}
                end
                then 'revenue_out_of_date'
            when revenue.value_usd_millions is null then 'no_exchange_rate'
        end as revenue_reason
    from prices
    left join splits_after_price
        on
            prices.company_key = splits_after_price.company_key
            and prices.split_basis = splits_after_price.split_basis
    left join ads_splits_unexplained
        on prices.security_key = ads_splits_unexplained.security_key
    left join count_spans as counts
        on
            prices.company_key = counts.company_key
            and prices.session_date >= counts.valid_from
            and (counts.valid_until is null or prices.session_date < counts.valid_until)
    left join first_known on prices.company_key = first_known.company_key
    left join revenue_spans as revenue
        on
            prices.company_key = revenue.company_key
            and prices.session_date >= revenue.known_on
            and prices.session_date < revenue.valid_until
    left join exchange_rates as price_rates
        on
            prices.currency = price_rates.currency
            and prices.session_date = price_rates.calendar_date
    left join exchange_rates as reporting_rates
        on
            prices.reporting_currency = reporting_rates.currency
            and prices.session_date = reporting_rates.calendar_date
),

valued as (
    select
        *,
        case
            when market_cap_reason is null
                then {{ in_usd(
                    '(close * shares_millions * split_adjustment / ordinary_shares_per_unit)',
                    'currency',
                    'price_units_per_usd'
                ) }}
        end as market_cap_usd_millions,
        case
            when coalesce(revenue_reason, '') in ('', 'no_exchange_rate')
                then revenue_millions
        end as revenue_ttm_millions,
        case when revenue_reason is null then revenue_usd_millions end as revenue_ttm_usd_millions
    from together
)

select
    security_key,
    session_date,
    company_key,
    security_name,
    observation_frequency,
    close,
    currency,
    split_basis,
    ordinary_shares_per_unit,
    shares_millions::double as ordinary_shares_millions,
    qualifier as share_count_qualifier,
    share_count_as_of,
    share_count_reported_on,
    case when market_cap_reason is null then split_adjustment end as share_count_split_adjustment,
    share_count_document_id,
    share_count_source_url,
    market_cap_usd_millions,
    reporting_currency,
    {{ to_decimal('market_cap_usd_millions::double * reporting_units_per_usd', 24, 6) }}
        as market_cap_millions,
    market_cap_reason,
    revenue_ttm_millions,
    revenue_ttm_usd_millions,
    revenue_basis as revenue_ttm_basis,
    revenue_period_end as revenue_ttm_period_end,
    revenue_reported_on as revenue_ttm_reported_on,
    revenue_document_id as revenue_ttm_document_id,
    revenue_source_url as revenue_ttm_source_url,
    revenue_reason as revenue_ttm_reason,
    case
        when revenue_ttm_usd_millions > 0
            then round(market_cap_usd_millions::double / revenue_ttm_usd_millions::double, 8)
    end as price_to_sales,
    coalesce(market_cap_reason, revenue_reason) as reason,
    source_url
from valued
