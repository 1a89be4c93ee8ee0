{#
    The rows of security_performance and, in resting places, all that a later build needs to know of
    the rows up to there: the columns from `is_resting_place` on, which are null elsewhere.
#}
{{ config(
    materialized=kept_as(),
    unique_key=['security_key', 'session_date'],
    on_schema_change='fail',
    meta={'in_slices': true},
) }}
{{ waits_for(['int_performance_restarts', 'security_slices']) }}
{% if target.type == 'spark' %}
    {{ performance_in_line() }}
{% else %}
    {% set benchmarks = benchmarks() %}

    with securities as (
        select
            *,
            (row_number() over (order by security_key))::int as security_id
        from {{ ref('dim_security') }}
    ),

    {% if goes_on() %}
        states as (
            select
                securities.security_id,
                kept.*
            from {{ this }} as kept
            inner join {{ ref('int_performance_restarts') }} as restarts
                on
                    kept.security_key = restarts.security_key
                    and kept.session_date < restarts.restart_on
            inner join securities on kept.security_key = securities.security_key
            where kept.is_resting_place
            qualify row_number() over (
                partition by kept.security_key
                order by kept.session_date desc
            ) = 1
        ),

        -- From the resting place on, or all where there is none.
        resume as (
            select
                restarts.security_key,
                coalesce(states.session_date, {{ beginning() }}) as resume_on
            from {{ ref('int_performance_restarts') }} as restarts
            left join states on restarts.security_key = states.security_key
        ),

        prices_to_do as (
            select prices.*
            from {{ ref('fct_daily_price') }} as prices
            inner join resume
                on
                    prices.security_key = resume.security_key
                    and prices.session_date >= resume.resume_on
        ),

        {{ price_chains('prices_to_do', state='states') }},
    {% else %}
        prices_to_do as (
            select * from {{ ref('fct_daily_price') }}
            where {{ in_slice('security_key') }}
        ),

        {{ price_chains('prices_to_do') }},
    {% endif %}

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
            measured.session_date,
            date_trunc('month', measured.session_date)::date as month_start,
            case
                when securities.security_type = 'index'
                    then measured.price_return_index
                else measured.total_return_index
            end as index_value,
            case
                when securities.security_type = 'index' then date '1900-01-01'
                else measured.chain_start
            end as chain_start
        from benchmark_indexes as measured
        inner join securities on measured.security_id = securities.security_id
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

    {# A month-end row may look ahead within its month, into a chain that begins after it. #}
    months_of_two_chains as (
        select distinct month_start
        from (
            select
                benchmark_key,
                month_start
            from benchmark_levels
            where index_value is not null
            group by benchmark_key, month_start
            having count(distinct chain_start) > 1
        ) as broken
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

    {% if goes_on() %}
        resumed as (
            select
                indexes.*,
                states.peak_index as known_peak,
                states.deepest as known_deepest,
                states.total_return_index is not null as is_known
            from indexes
            left join states
                on
                    indexes.security_id = states.security_id
                    and indexes.session_date = states.session_date
        ),
    {% else %}
        resumed as (
            select * from indexes
        ),
    {% endif %}

{% set index_so_far = 'coalesce(known_peak, total_return_index)' if goes_on()
    else 'total_return_index' %}
    {% set drawdown_so_far = 'coalesce(known_deepest, drawdown)' if goes_on() else 'drawdown' %}

    peaks as (
        select
            *,
            max({{ index_so_far }}) over (
                partition by security_id, chain_start
                order by session_date
                rows between unbounded preceding and current row
            ) as peak_index
        from resumed
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
            min({{ drawdown_so_far }}) over (
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
            min(peak_date) as peak_date
        from (
            select
                security_id,
                chain_start,
                peak_index,
                session_date as peak_date
            from troughs
            where total_return_index = peak_index
            {% if goes_on() %}
            union all
            select
                security_id,
                chain_start,
                peak_index,
                peak_date
            from states
            where peak_index is not null
        {% endif %}
        ) as found
        group by security_id, chain_start, peak_index
    ),

    lows as (
        select
            security_id,
            chain_start,
            deepest,
            min(trough_date) as trough_date,
            min_by(trough_index, trough_date) as trough_index
        from (
            select
                security_id,
                chain_start,
                deepest,
                session_date as trough_date,
                total_return_index as trough_index
            from troughs
            where drawdown = deepest and drawdown < 0
            {% if goes_on() %}
            union all
            select
                security_id,
                chain_start,
                deepest,
                trough_date,
                trough_index
            from states
            where trough_date is not null
        {% endif %}
        ) as found
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
            troughs.log_on_chain,
            troughs.first_close,
            {% if goes_on() %}
            troughs.is_known,
        {% endif %}
            troughs.is_resting_place and broken.month_start is null as is_resting_place,
            {% for name in benchmarks -%}
                troughs.total_return_index / nullif(
                    coalesce(
                        of_day.{{ name }}_level,
                        case when troughs.is_month_end then of_month.{{ name }}_level end
                    ),
                    0
                ) as {{ name }}_ratio,
                case
                    when troughs.total_return_index is not null
                        then coalesce(
                            of_day.{{ name }}_chain,
                            case when troughs.is_month_end then of_month.{{ name }}_chain end
                        )
                end as {{ name }}_chain,
            {% endfor -%}
            troughs.source_url
        from troughs
        left join benchmark_days as of_day on troughs.session_date = of_day.session_date
        left join benchmark_months as of_month
            on date_trunc('month', troughs.session_date)::date = of_month.month_start
        left join months_of_two_chains as broken
            on date_trunc('month', troughs.session_date)::date = broken.month_start
    ),

    {# Where a chain of its own and one of a benchmark first stand beside each other. #}
    first_common as (
        select
            {% for name in benchmarks -%}
                {{ name }}_chain,
                min(case when {{ name }}_chain is not null then session_date end)
                    as {{ name }}_since,
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
                min({{ name }}_since) as met_on,
                min_by({{ name }}_base, {{ name }}_since) as base_ratio
            from (
                select
                    security_id,
                    chain_start,
                    {{ name }}_chain,
                    {{ name }}_since,
                    {{ name }}_base
                from first_common
                {% if goes_on() %}
                union all
                select
                    security_id,
                    chain_start,
                    {{ name }}_chain,
                    {{ name }}_since,
                    {{ name }}_base
                from states
            {% endif %}
            ) as found
            where {{ name }}_chain is not null
            group by security_id, chain_start, {{ name }}_chain
        ),

        {#  What a resting place knows: of the chains met up to there, the newest. #}
        known_{{ name }} as (
            select
                resting.security_id,
                resting.session_date,
                max(met.{{ name }}_chain) as newest_chain,
                max_by(met.met_on, met.{{ name }}_chain) as met_on,
                max_by(met.base_ratio, met.{{ name }}_chain) as base_ratio
            from beside_benchmarks as resting
            inner join since_{{ name }} as met
                on
                    resting.security_id = met.security_id
                    and resting.chain_start = met.chain_start
                    and resting.session_date >= met.met_on
            where resting.is_resting_place
            group by resting.security_id, resting.session_date
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
                since_{{ name }}.met_on as {{ name }}_since,
                known_{{ name }}.newest_chain as known_{{ name }}_chain,
                known_{{ name }}.met_on as known_{{ name }}_since,
                known_{{ name }}.base_ratio as known_{{ name }}_base,
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
            left join known_{{ name }}
                on
                    own.security_id = known_{{ name }}.security_id
                    and own.session_date = known_{{ name }}.session_date
        {% endfor -%}
    )

    select
        securities.security_key,
        measured.session_date,
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
        measured.source_url,
        measured.is_resting_place,
        case when measured.is_resting_place then measured.chain_start end as chain_start,
        case when measured.is_resting_place then measured.log_on_chain end as log_on_chain,
        case when measured.is_resting_place then measured.first_close end as first_close,
        case when measured.is_resting_place then measured.peak_index end as peak_index,
        case when measured.is_resting_place then measured.deepest end as deepest,
        {% for name in benchmarks -%}
            measured.known_{{ name }}_chain as {{ name }}_chain,
            measured.known_{{ name }}_since as {{ name }}_since,
            measured.known_{{ name }}_base as {{ name }}_base,
        {% endfor -%}
        case when measured.is_resting_place then measured.trough_index end as trough_index
    from measured
    inner join securities on measured.security_id = securities.security_id
    {% if goes_on() %}
    where not measured.is_known
{% endif %}
{% endif %}
