{% set benchmarks = benchmarks() %}

with securities as (
    select
        *,
        (row_number() over (order by security_key))::int as security_id
    from {{ ref('dim_security') }}
),

{{ price_chains(ref('fct_daily_price')) }},

{# What the benchmarks were worth: the same steps, for them alone. #}
prices_of_benchmarks as (
    select * from {{ ref('fct_daily_price') }}
    where
        security_key in (
            {% for key in benchmarks.values() -%}
                '{{ key }}'{{ ',' if not loop.last }}
            {% endfor -%}
        )
),

{{ price_chains('prices_of_benchmarks', 'benchmark_') }},

benchmark_levels as (
    select
        securities.security_key as benchmark_key,
        indexes.session_date,
        date_trunc('month', indexes.session_date)::date as month_start,
        case
            when securities.security_type = 'index'
                then indexes.price_return_index
            else indexes.total_return_index
        end as index_value,
        case
            when securities.security_type = 'index' then date '1900-01-01' else indexes.chain_start
        end as chain_start
    from benchmark_indexes as indexes
    inner join securities on indexes.security_id = securities.security_id
),

benchmark_days as (
    select
        session_date
        {%- for name, key in benchmarks.items() %},
        max(index_value) filter (where benchmark_key = '{{ key }}') as {{ name }}_level,
        max(chain_start) filter (where benchmark_key = '{{ key }}') as {{ name }}_chain
        {%- endfor %}
    from benchmark_levels
    where index_value is not null
    group by session_date
),

benchmark_months as (
    select
        month_start
        {%- for name, key in benchmarks.items() %},
        max_by(index_value, session_date) filter (where benchmark_key = '{{ key }}')
            as {{ name }}_level,
        max_by(chain_start, session_date) filter (where benchmark_key = '{{ key }}')
            as {{ name }}_chain
        {%- endfor %}
    from benchmark_levels
    where index_value is not null
    group by month_start
),

peaks as (
    select
        *,
        max(total_return_index) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and current row
        ) as peak_index,
        max(total_return_index) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and 1 preceding
        ) as peak_before
    from indexes
),

drawdowns as (
    select
        *,
        total_return_index / nullif(peak_index, 0) - 1 as drawdown
    from peaks
),

troughs as (
    select
        *,
        max(case when total_return_index > coalesce(peak_before, 0) then session_date end) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and current row
        ) as peak_date,
        min(drawdown) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and current row
        ) as deepest,
        min(drawdown) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and 1 preceding
        ) as deepest_before
    from drawdowns
),

lows as (
    select
        security_id,
        chain_start,
        drawdown as deepest,
        session_date as trough_date,
        total_return_index as trough_index
    from troughs
    where drawdown < coalesce(deepest_before, 0)
),

beside_benchmarks as (
    select
        troughs.security_id,
        troughs.session_date,
        troughs.chain_start,
        troughs.return_basis,
        troughs.total_return_index,
        troughs.price_return_index,
        troughs.drawdown,
        troughs.peak_date,
        troughs.deepest,
        troughs.currency,
        troughs.is_month_end,
        troughs.close,
        troughs.adj_close,
        troughs.source_url
        {%- for name in benchmarks %},
        case
            when days.{{ name }}_level is not null
                then troughs.total_return_index / nullif(days.{{ name }}_level, 0)
            when troughs.is_month_end
                then troughs.total_return_index / nullif(months.{{ name }}_level, 0)
        end as {{ name }}_ratio,
        case
            when troughs.total_return_index is null then null
            when days.{{ name }}_level is not null then days.{{ name }}_chain
            when troughs.is_month_end then months.{{ name }}_chain
        end as {{ name }}_chain
        {%- endfor %}
    from troughs
    left join benchmark_days as days on troughs.session_date = days.session_date
    left join benchmark_months as months
        on date_trunc('month', troughs.session_date)::date = months.month_start
),

{# Where own chain and benchmark's first stand beside each other. #}
first_common as (
    select
        security_id,
        chain_start
        {%- for name in benchmarks %},
        {{ name }}_chain,
        min(case when {{ name }}_chain is not null then session_date end) as {{ name }}_since,
        min_by({{ name }}_ratio, session_date) as {{ name }}_base
        {%- endfor %}
    from beside_benchmarks
    where total_return_index is not null
    group by
        security_id,
        chain_start
        {%- for name in benchmarks %},
        {{ name }}_chain
        {%- endfor %}
)
{%- for name in benchmarks %},

{{ name }}_bases as (
    select
        security_id,
        chain_start,
        {{ name }}_chain,
        min({{ name }}_since) as since,
        min_by({{ name }}_base, {{ name }}_since) as base
    from first_common
    where {{ name }}_chain is not null
    group by security_id, chain_start, {{ name }}_chain
)
{%- endfor %}

select
    securities.security_key,
    own.session_date,
    securities.company_key,
    securities.name as security_name,
    own.currency,
    case when own.is_month_end then 'month_end' else 'daily' end as observation_frequency,
    own.close,
    own.adj_close,
    own.total_return_index,
    case when own.total_return_index is not null then own.chain_start end as index_base_date,
    case when own.total_return_index is not null then own.return_basis end as return_basis,
    own.price_return_index,
    case
        when own.total_return_index is not null then round(100 * own.drawdown, 6)
    end as drawdown_from_peak_percent,
    case when own.total_return_index is not null then own.peak_date end as peak_date,
    round(
        100 * (own.total_return_index / nullif(lows.trough_index, 0) - 1), 6
    ) as return_since_trough_percent,
    case when own.total_return_index is not null then lows.trough_date end as trough_date,
    {% for name in benchmarks -%}
        round(own.{{ name }}_ratio / nullif({{ name }}_bases.base, 0), 8) as relative_to_{{ name }},
        {{ name }}_bases.since as relative_to_{{ name }}_since,
    {% endfor -%}
    own.source_url
from beside_benchmarks as own
inner join securities on own.security_id = securities.security_id
left join lows
    on
        own.security_id = lows.security_id
        and own.chain_start = lows.chain_start
        and own.deepest = lows.deepest
{%- for name in benchmarks %}
left join {{ name }}_bases
    on
        own.security_id = {{ name }}_bases.security_id
        and own.chain_start = {{ name }}_bases.chain_start
        and own.{{ name }}_chain = {{ name }}_bases.{{ name }}_chain
{%- endfor %}
