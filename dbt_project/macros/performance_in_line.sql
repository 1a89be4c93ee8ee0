{#
    What int_security_performance holds, for Spark: each step stands on the one before it, so that its
    plan stays a line. Spark puts a CTE into every place that names it; the steps of DuckDB, which
    share theirs, would become thousands. No build goes on from what Spark has built, so there are no
    resting places. `make test-spark` holds the two against each other, row by
    row.
#}
{% macro performance_in_line() %}
{%- set benchmarks = benchmarks() %}
with prices as (
    select
        prices.security_key,
        prices.session_date,
        prices.close,
        prices.adj_close,
        prices.close / prices.split_factor as comparable_close,
        prices.currency,
        prices.observation_frequency,
        prices.split_basis,
        prices.split_factor,
        prices.source_url,
        securities.company_key,
        securities.name as security_name,
        securities.security_type,
        securities.dividends_recorded_after,
        count(prices.adj_close) over (
            partition by prices.security_key
            order by prices.session_date
            rows between unbounded preceding and current row
        ) as adjusted_up_to_here,
        count(prices.adj_close) over (
            partition by prices.security_key
            order by prices.session_date
            rows between current row and unbounded following
        ) as adjusted_from_here
    from {{ ref('fct_daily_price') }} as prices
    inner join {{ ref('dim_security') }} as securities
        on prices.security_key = securities.security_key
),

{# A row without adj_close between two rows of one collection stands beside the chain: the adjusted
   closes are linked past it, and it hangs on the row before it. #}
placed as (
    select
        *,
        coalesce(
            adj_close is null
            and max(case when adj_close is not null then split_basis end) over (
                partition by security_key, adjusted_up_to_here
            ) = max(case when adj_close is not null then split_basis end) over (
                partition by security_key, adjusted_from_here
            ),
            false
        ) as is_beside_chain
    from prices
),

with_row_before as (
    select
        *,
        case
            when is_beside_chain then lag(session_date) over all_rows
            else lag(session_date) over chain_rows
        end as date_before,
        case
            when is_beside_chain then lag(comparable_close) over all_rows
            else lag(comparable_close) over chain_rows
        end as comparable_close_before,
        lag(adj_close) over chain_rows as adj_close_before,
        lag(split_basis) over chain_rows as split_basis_before
    from placed
    window
        all_rows as (partition by security_key order by session_date),
        chain_rows as (partition by security_key, is_beside_chain order by session_date)
),

dividends as (
    select
        rows_with_one.security_key,
        rows_with_one.session_date,
        sum(actions.value::decimal(18, 8))::double as per_share,
        count(*) filter (
            where actions.unit <> rows_with_one.currency || ' per share'
        ) as in_another_currency
    from with_row_before as rows_with_one
    inner join {{ ref('fct_corporate_action') }} as actions
        on
            rows_with_one.security_key = actions.ticker
            and actions.action = 'dividend'
            and rows_with_one.date_before < actions.ex_date
            and rows_with_one.session_date >= actions.ex_date
    group by rows_with_one.security_key, rows_with_one.session_date
),

candidates as (
    select
        with_row_before.*,
        case
            when
                with_row_before.split_basis = with_row_before.split_basis_before
                then with_row_before.adj_close / nullif(with_row_before.adj_close_before, 0)
        end as adjusted_growth,
        case
            when
                coalesce(dividends.in_another_currency, 0) = 0
                and with_row_before.date_before
                >= coalesce(
                    with_row_before.dividends_recorded_after, with_row_before.date_before
                )
                then
                    (
                        with_row_before.comparable_close
                        + coalesce(dividends.per_share, 0) / with_row_before.split_factor
                    )
                    / nullif(with_row_before.comparable_close_before, 0)
        end as close_growth
    from with_row_before
    left join dividends
        on
            with_row_before.security_key = dividends.security_key
            and with_row_before.session_date = dividends.session_date
),

growth as (
    select
        *,
        case
            when security_type <> 'index' then coalesce(adjusted_growth, close_growth)
        end as total_growth
    from candidates
),

chained as (
    select
        *,
        sum(case when total_growth is null and not is_beside_chain then 1 else 0 end) over (
            partition by security_key
            order by session_date
            rows between unbounded preceding and current row
        ) as chain_number,
        sum(case when is_beside_chain then 0 else 1 end) over (
            partition by security_key
            order by session_date
            rows between unbounded preceding and current row
        ) as chain_row_number
    from growth
),

linked as (
    select
        *,
        count(*) over (partition by security_key, chain_number) as rows_of_chain,
        min(session_date) over (partition by security_key, chain_number) as first_of_chain,
        sum(case when is_beside_chain then 0 else coalesce(ln(total_growth), 0) end) over (
            partition by security_key, chain_number
            order by session_date
            rows between unbounded preceding and current row
        ) as log_growth_on_chain,
        sum(case when is_beside_chain then ln(total_growth) else 0 end) over (
            partition by security_key, chain_row_number
            order by session_date
            rows between unbounded preceding and current row
        ) as log_growth_beside,
        max(case when is_beside_chain and total_growth is null then 1 else 0 end) over (
            partition by security_key, chain_row_number
            order by session_date
            rows between unbounded preceding and current row
        ) as hangs_on_nothing,
        first_value(comparable_close) over (
            partition by security_key, comparable_close is null
            order by session_date
        ) as first_comparable_close
    from chained
),

indexes as (
    select
        *,
        case
            when rows_of_chain > 1 and hangs_on_nothing = 0
                then round(100 * exp(log_growth_on_chain + log_growth_beside), 8)
        end as total_return_index,
        round(100 * comparable_close / nullif(first_comparable_close, 0), 8) as price_return_index
    from linked
),

peaks as (
    select
        *,
        max(total_return_index) over (
            partition by security_key, chain_number
            order by session_date
            rows between unbounded preceding and current row
        ) as peak_index,
        case
            when
                total_return_index > coalesce(
                    max(total_return_index) over (
                        partition by security_key, chain_number
                        order by session_date
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                )
                then session_date
        end as new_peak_date
    from indexes
),

drawdowns as (
    select
        *,
        max(new_peak_date) over (
            partition by security_key, chain_number
            order by session_date
            rows between unbounded preceding and current row
        ) as peak_date,
        total_return_index / nullif(peak_index, 0) - 1 as drawdown
    from peaks
),

troughs as (
    select
        *,
        case
            when
                drawdown < coalesce(
                    min(drawdown) over (
                        partition by security_key, chain_number
                        order by session_date
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                )
                then session_date
        end as new_trough_date
    from drawdowns
),

recoveries as (
    select
        *,
        max(new_trough_date) over (
            partition by security_key, chain_number
            order by session_date
            rows between unbounded preceding and current row
        ) as trough_date
    from troughs
    where total_return_index is not null
),

measured as (
    select
        security_key,
        session_date,
        first_of_chain as index_base_date,
        peak_date,
        trough_date,
        case
            when total_growth is null then 'start'
            when adjusted_growth is not null then 'adj_close'
            else 'close_and_dividends'
        end as return_basis,
        round(100 * drawdown, 6) as drawdown_from_peak_percent,
        case when trough_date is not null then first_value(total_return_index) over (
            partition by security_key, chain_number, trough_date
            order by session_date
        ) end as trough_index
    from recoveries
),

benchmark_levels as (
    select
        security_key as benchmark_key,
        session_date,
        date_trunc('month', session_date)::date as month_start,
        case
            when security_type = 'index' then price_return_index else total_return_index
        end as index_value,
        case when security_type = 'index' then 0 else chain_number end as chain_number
    from indexes
    where
        security_key in (
            {% for key in benchmarks.values() -%}
                '{{ key }}'{{ ',' if not loop.last }}
            {% endfor -%}
        )
),

benchmark_days as (
    select * from benchmark_levels
    where index_value is not null
),

benchmark_months as (
    select *
    from benchmark_days
    qualify row_number() over (
        partition by benchmark_key, month_start
        order by session_date desc
    ) = 1
),

pairs as (
    select
        own.security_key,
        own.session_date,
        own.chain_number,
        of_month.benchmark_key,
        own.total_return_index
        / nullif(coalesce(of_day.index_value, of_month.index_value), 0) as ratio,
        coalesce(of_day.chain_number, of_month.chain_number) as benchmark_chain_number
    from indexes as own
    inner join benchmark_months as of_month
        on date_trunc('month', own.session_date)::date = of_month.month_start
    left join benchmark_days as of_day
        on
            of_month.benchmark_key = of_day.benchmark_key
            and own.session_date = of_day.session_date
    where
        own.total_return_index is not null
        and (own.observation_frequency = 'month_end' or of_day.index_value is not null)
),

against as (
    select
        security_key,
        session_date,
        benchmark_key,
        ratio / nullif(first_value(ratio) over since_first_common, 0) as growth_ratio,
        first_value(session_date) over since_first_common as first_common
    from pairs
    window since_first_common as (
        partition by security_key, chain_number, benchmark_key, benchmark_chain_number
        order by session_date
    )
)

select
    indexes.security_key,
    indexes.session_date,
    indexes.company_key,
    indexes.security_name,
    indexes.currency,
    indexes.observation_frequency,
    indexes.close,
    indexes.adj_close,
    indexes.total_return_index,
    measured.index_base_date,
    measured.return_basis,
    indexes.price_return_index,
    measured.drawdown_from_peak_percent,
    measured.peak_date,
    round(
        100 * (indexes.total_return_index / nullif(measured.trough_index, 0) - 1), 6
    ) as return_since_trough_percent,
    measured.trough_date,
    {% for name in benchmarks -%}
        round({{ name }}.growth_ratio, 8) as relative_to_{{ name }},
        {{ name }}.first_common as relative_to_{{ name }}_since,
    {% endfor -%}
    false as is_resting_place,
    indexes.source_url
from indexes
{% for name, key in benchmarks.items() -%}
    left join against as {{ name }}
        on
            indexes.security_key = {{ name }}.security_key
            and indexes.session_date = {{ name }}.session_date
            and {{ name }}.benchmark_key = '{{ key }}'
{% endfor -%}
left join measured
    on
        indexes.security_key = measured.security_key
        and indexes.session_date = measured.session_date
{% endmacro %}
