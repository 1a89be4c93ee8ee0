with period_ends as (
    select
        company_key,
        period_end,
        -- A quarter without a quarterly flow begins on the first day of its first month.
        coalesce(
            min(period_start) filter (where period_type = 'quarter'),
            {{ add_months("date_trunc('month', period_end)::date", -2) }}
        ) as period_start
    from (
        select
            company_key,
            period_start,
            period_end,
            period_type
        from {{ ref('stg_landing__segment_result') }}
        union all
        select
            company_key,
            period_start,
            period_end,
            period_type
        from {{ ref('stg_landing__company_result') }}
    ) as results
    group by company_key, period_end
),

placed as (
    select
        period_ends.company_key,
        period_ends.period_end,
        period_ends.period_start,
        -- A year of 52 or 53 weeks may end its quarters in the first days of the next month
        -- (NVIDIA: 2 May 2021), so the week before decides which month a quarter closes.
        month({{ add_days('period_ends.period_end', -7) }}) as closing_month,
        year({{ add_days('period_ends.period_end', -7) }}) as closing_year,
        {{ add_days(
            'period_ends.period_start',
            'floor(' ~ days_between('period_ends.period_start', 'period_ends.period_end') ~ ' / 2.0)'
        ) }} as middle_day,
        companies.fiscal_year_end_month
    from period_ends
    inner join {{ ref('dim_company') }} as companies
        on period_ends.company_key = companies.company_key
),

numbered as (
    select
        company_key,
        period_end,
        period_start,
        middle_day,
        (
            closing_year + case when closing_month > fiscal_year_end_month then 1 else 0 end
        )::int as fiscal_year,
        (
            floor(((closing_month - fiscal_year_end_month + 11) % 12) / 3.0) + 1
        )::int as fiscal_quarter
    from placed
)

select
    company_key,
    period_end,
    period_start,
    fiscal_year,
    fiscal_quarter,
    (fiscal_year * 4 + fiscal_quarter)::int as fiscal_quarter_index,
    year(middle_day)::string || '-Q' || quarter(middle_day)::string as calendar_quarter
from numbered
