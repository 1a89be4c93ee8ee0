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
        {% for name, key in benchmarks.items() -%}
            max(index_value) filter (where benchmark_key = '{{ key }}') as {{ name }}_level,
            max(chain_start) filter (where benchmark_key = '{{ key }}') as {{ name }}_chain,
        {% endfor -%}
        session_date
    from benchmark_levels
    where index_value is not null
    group by session_date
),

benchmark_months as (
    select
        {% for name, key in benchmarks.items() -%}
            max_by(index_value, session_date) filter (where benchmark_key = '{{ key }}')
                as {{ name }}_level,
            max_by(chain_start, session_date) filter (where benchmark_key = '{{ key }}')
                as {{ name }}_chain,
        {% endfor -%}
        month_start
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
        ) as peak_index
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
        min(drawdown) over (
            partition by security_id, chain_start
            order by session_date
            rows between unbounded preceding and current row
        ) as deepest
    from drawdowns
),

highs as (
    select
        security_id,
        chain_start,
        peak_index,
        min(session_date) as peak_date
    from troughs
    where total_return_index = peak_index
    group by security_id, chain_start, peak_index
),

lows as (
    select
        security_id,
        chain_start,
        deepest,
        min(session_date) as trough_date,
        min_by(total_return_index, session_date) as trough_index
    from troughs
    where drawdown = deepest and drawdown < 0
    group by security_id, chain_start, deepest
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
        troughs.peak_index,
        troughs.deepest,
        troughs.currency,
        troughs.is_month_end,
        troughs.close,
        troughs.adj_close,
        {% for name in benchmarks -%}
            troughs.total_return_index / nullif(
                coalesce(
                    days.{{ name }}_level,
                    case when troughs.is_month_end then months.{{ name }}_level end
                ),
                0
            ) as {{ name }}_ratio,
            case
                when troughs.total_return_index is not null
                    then coalesce(
                        days.{{ name }}_chain,
                        case when troughs.is_month_end then months.{{ name }}_chain end
                    )
            end as {{ name }}_chain,
        {% endfor -%}
        troughs.source_url
    from troughs
    left join benchmark_days as days on troughs.session_date = days.session_date
    left join benchmark_months as months
        on date_trunc('month', troughs.session_date)::date = months.month_start
),

{# Where a chain of its own and one of a benchmark first stand beside each other. #}
first_common as (
    select
        {% for name in benchmarks -%}
            {{ name }}_chain,
            min(case when {{ name }}_chain is not null then session_date end) as {{ name }}_since,
            min_by({{ name }}_ratio, session_date) as {{ name }}_base,
        {% endfor -%}
        security_id,
        chain_start
    from beside_benchmarks
    where total_return_index is not null
    group by
        {% for name in benchmarks -%}
            {{ name }}_chain,
        {% endfor -%}
        security_id,
        chain_start
),

{% for name in benchmarks -%}
    since_{{ name }} as (
        select
            security_id,
            chain_start,
            {{ name }}_chain,
            min({{ name }}_since) as since,
            min_by({{ name }}_base, {{ name }}_since) as base_ratio
        from first_common
        where {{ name }}_chain is not null
        group by security_id, chain_start, {{ name }}_chain
    ),

{% endfor -%}
measured as (
    select
        own.*,
        highs.peak_date,
        lows.trough_date,
        lows.trough_index,
        {% for name in benchmarks -%}
            since_{{ name }}.base_ratio as {{ name }}_base,
            since_{{ name }}.since as {{ name }}_since,
        {% endfor -%}
        own.total_return_index is not null as is_measured
    from beside_benchmarks as own
    left join highs
        on
            own.security_id = highs.security_id
            and own.chain_start = highs.chain_start
            and own.peak_index = highs.peak_index
    left join lows
        on
            own.security_id = lows.security_id
            and own.chain_start = lows.chain_start
            and own.deepest = lows.deepest
    {% for name in benchmarks -%}
        left join since_{{ name }}
            on
                own.security_id = since_{{ name }}.security_id
                and own.chain_start = since_{{ name }}.chain_start
                and own.{{ name }}_chain = since_{{ name }}.{{ name }}_chain
    {% endfor -%}
)

select
    securities.security_key,
    measured.session_date,
    securities.company_key,
    securities.name as security_name,
    measured.currency,
    case when measured.is_month_end then 'month_end' else 'daily' end as observation_frequency,
    measured.close,
    measured.adj_close,
    measured.total_return_index,
    case when measured.is_measured then measured.chain_start end as index_base_date,
    case when measured.is_measured then measured.return_basis end as return_basis,
    measured.price_return_index,
    case
        when measured.is_measured then round(100 * measured.drawdown, 6)
    end as drawdown_from_peak_percent,
    case when measured.is_measured then measured.peak_date end as peak_date,
    round(
        100 * (measured.total_return_index / nullif(measured.trough_index, 0) - 1), 6
    ) as return_since_trough_percent,
    case when measured.is_measured then measured.trough_date end as trough_date,
    {% for name in benchmarks -%}
        round(measured.{{ name }}_ratio / nullif(measured.{{ name }}_base, 0), 8)
            as relative_to_{{ name }},
        measured.{{ name }}_since as relative_to_{{ name }}_since,
    {% endfor -%}
    measured.source_url
from measured
inner join securities on measured.security_id = securities.security_id
