{#
    The ECB pauses for four or five days at most: a longer gap means that rates are missing. The
    rates are summed as decimals, whose sum does not depend on the order of the rows.
#}
{% set longest_pause_days = 7 %}

with per_period as (
    select
        periods.period_start,
        periods.period_end,
        periods.currency,
        sum({{ to_decimal('rates.units_per_usd', 18, 10) }}) filter (
            where rates.rate_date >= periods.period_start
        )::double as sum_of_units_per_usd,
        min(rates.rate_date) filter (
            where rates.rate_date >= periods.period_start
        ) as first_rate_date,
        count(rates.units_per_usd) filter (
            where rates.rate_date >= periods.period_start
        ) as rate_days,
        max_by(rates.units_per_usd, rates.rate_date) as closing_units_per_usd,
        max(rates.rate_date) as closing_rate_date
    from {{ ref('int_result_periods') }} as periods
    left join {{ ref('int_fx_daily') }} as rates
        on
            periods.currency = rates.currency
            and periods.period_end >= rates.rate_date
            and least(
                coalesce(periods.period_start, periods.period_end),
                {{ add_days('periods.period_end', -longest_pause_days) }}
            ) <= rates.rate_date
    group by periods.period_start, periods.period_end, periods.currency
),

judged as (
    select
        period_start,
        period_end,
        currency,
        sum_of_units_per_usd,
        rate_days,
        closing_units_per_usd,
        closing_rate_date,
        {{ days_between('closing_rate_date', 'period_end') }} <= {{ longest_pause_days }}
            as reaches_the_end,
        {{ days_between('period_start', 'first_rate_date') }} <= {{ longest_pause_days }}
            as covers_the_start
    from per_period
)

select
    period_start,
    period_end,
    currency,
    rate_days,
    case
        when reaches_the_end and covers_the_start then sum_of_units_per_usd / nullif(rate_days, 0)
    end as average_units_per_usd,
    case when reaches_the_end then closing_units_per_usd end as closing_units_per_usd,
    case when reaches_the_end then closing_rate_date end as closing_rate_date
from judged
