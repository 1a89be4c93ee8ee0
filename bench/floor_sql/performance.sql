create table security_performance as
with grown as (
    select
        prices.*,
        adj_close / lag(adj_close) over of_security as growth,
        first_value(close) over of_security as first_close,
        first_value(session_date) over of_security as index_base_date
    from fct_daily_price as prices
    window of_security as (partition by security_key order by session_date)
),

indexed as (
    select
        *,
        round(
            100 * exp(sum(coalesce(ln(growth), 0)) over (
                partition by security_key order by session_date rows unbounded preceding
            )),
            8
        ) as total_return_index,
        round(100 * close / first_close, 8) as price_return_index
    from grown
),

peaks as (
    select
        *,
        max(total_return_index) over (
            partition by security_key order by session_date rows unbounded preceding
        ) as peak_index
    from indexed
),

drawdowns as (
    select
        *,
        total_return_index / peak_index - 1 as drawdown,
        min(total_return_index / peak_index - 1) over (
            partition by security_key order by session_date rows unbounded preceding
        ) as lowest
    from peaks
),

troughs as (
    select
        *,
        max(case when total_return_index = peak_index then session_date end) over so_far
            as peak_date,
        max(case when drawdown = lowest then session_date end) over so_far as trough_date,
        last_value(case when drawdown = lowest then total_return_index end ignore nulls)
            over so_far as trough_index
    from drawdowns
    window so_far as (
        partition by security_key order by session_date rows unbounded preceding
    )
),

benchmarks as (
    select
        session_date,
        max(total_return_index) filter (where security_key = 'KWEB') as kweb,
        max(total_return_index) filter (where security_key = 'SPY') as spy,
        max(price_return_index) filter (where security_key = '^HSI') as hsi
    from indexed
    where security_key in ('KWEB', 'SPY', '^HSI')
    group by session_date
),

firsts as (
    select
        troughs.security_key,
        min(session_date) filter (where kweb is not null) as kweb_since,
        arg_min(total_return_index / kweb, session_date) as kweb_ratio,
        min(session_date) filter (where spy is not null) as spy_since,
        arg_min(total_return_index / spy, session_date) as spy_ratio,
        min(session_date) filter (where hsi is not null) as hsi_since,
        arg_min(total_return_index / hsi, session_date) as hsi_ratio
    from troughs
    inner join benchmarks using (session_date)
    group by troughs.security_key
)

select
    troughs.security_key,
    troughs.session_date,
    securities.company_key,
    securities.name as security_name,
    troughs.currency,
    troughs.observation_frequency,
    troughs.close,
    troughs.adj_close,
    troughs.total_return_index,
    troughs.index_base_date,
    case when troughs.growth is null then 'start' else 'adj_close' end as return_basis,
    troughs.price_return_index,
    round(100 * troughs.drawdown, 6) as drawdown_from_peak_percent,
    troughs.peak_date,
    case when troughs.lowest < 0 then round(
        100 * (troughs.total_return_index / troughs.trough_index - 1), 6
    ) end as return_since_trough_percent,
    case when troughs.lowest < 0 then troughs.trough_date end as trough_date,
    round(troughs.total_return_index / kweb / kweb_ratio, 8) as relative_to_kweb,
    case when kweb is not null then kweb_since end as relative_to_kweb_since,
    round(troughs.total_return_index / spy / spy_ratio, 8) as relative_to_spy,
    case when spy is not null then spy_since end as relative_to_spy_since,
    round(troughs.total_return_index / hsi / hsi_ratio, 8) as relative_to_hsi,
    case when hsi is not null then hsi_since end as relative_to_hsi_since,
    troughs.source_url
from troughs
inner join securities using (security_key)
left join benchmarks using (session_date)
left join firsts using (security_key);
