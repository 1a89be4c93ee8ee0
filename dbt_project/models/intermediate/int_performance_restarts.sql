{{ config(materialized='table') }}
{{ waits_for(['dim_security', 'fct_daily_price']) }}
{% set benchmarks = benchmarks() %}

{% if goes_on() %}
    with of_benchmarks as (
        select min(restart_on) as restart_on
        from {{ ref('price_restarts') }}
        where
            security_key in (
                {% for key in benchmarks.values() -%}
                    '{{ key }}'{{ ',' if not loop.last }}
                {% endfor -%}
            )
    ),

    -- A month-end row may stand beside a benchmark's row of later in its month.
    month_ends as (
        select
            prices.security_key,
            min(prices.session_date) as restart_on
        from {{ ref('fct_daily_price') }} as prices
        inner join of_benchmarks
            on
                prices.session_date >= date_trunc('month', of_benchmarks.restart_on)::date
                and prices.session_date < of_benchmarks.restart_on
        where prices.observation_frequency = 'month_end'
        group by prices.security_key
    ),

    restarts as (
        select
            security_key,
            restart_on
        from {{ ref('price_restarts') }}
        union all
        select
            security_key,
            restart_on
        from month_ends
        union all
        select
            securities.security_key,
            of_benchmarks.restart_on
        from {{ ref('dim_security') }} as securities
        inner join of_benchmarks on of_benchmarks.restart_on is not null
    )

    select
        security_key,
        min(restart_on) as restart_on
    from restarts
    group by security_key
{% else %}
    select
        security_key,
        restart_on
    from {{ ref('price_restarts') }}
{% endif %}
