-- One session: the row before is looked up in the tables, nothing older is touched. The same rows
-- are joined and written; peaks and troughs are carried on as they stand.
create or replace temp table added as
select * from counting('daily_price')
where session_date = getvariable('session')::date;

create or replace temp table before as
select
    security_key,
    max(session_date) as session_date
from security_performance
where session_date >= getvariable('session')::date - 14
group by security_key;

create or replace temp table last_rows as
select performance.*
from security_performance as performance
inner join before using (security_key, session_date)
where performance.session_date >= getvariable('session')::date - 14;

insert into fct_daily_price by name
select
    added.ticker as security_key, added.session_date, added.open, added.high, added.low,
    added.close, added.adj_close, added.volume, added.currency, added.observation_frequency,
    added.split_basis, 1.0 as split_factor, added.source_url,
    added.close / last_rows.close - 1 as daily_return
from added
left join last_rows on added.ticker = last_rows.security_key;

insert into security_performance by name
with indexed as (
    select
        added.*,
        last_rows.* exclude (session_date, currency, observation_frequency, close, adj_close, source_url),
        last_rows.total_return_index * added.close / last_rows.close as index_now
    from added
    inner join last_rows on added.ticker = last_rows.security_key
),

benchmarks as (
    select
        max(index_now) filter (where ticker = 'KWEB') as kweb,
        max(index_now) filter (where ticker = 'SPY') as spy,
        max(index_now) filter (where ticker = '^HSI') as hsi
    from indexed
)

select
    security_key, session_date, company_key, security_name, currency, observation_frequency,
    close, adj_close, index_now as total_return_index, index_base_date, 'adj_close' as return_basis,
    price_return_index, drawdown_from_peak_percent, peak_date, return_since_trough_percent,
    trough_date, index_now / benchmarks.kweb as relative_to_kweb, relative_to_kweb_since,
    index_now / benchmarks.spy as relative_to_spy, relative_to_spy_since,
    index_now / benchmarks.hsi as relative_to_hsi, relative_to_hsi_since, source_url
from indexed
cross join benchmarks;

insert into valuation_daily by name
with last_valued as (
    select valued.*
    from valuation_daily as valued
    inner join before using (security_key, session_date)
    where valued.session_date >= getvariable('session')::date - 14
)

select
    last_valued.* replace (
        added.session_date as session_date,
        added.close as close,
        cast(added.close * last_valued.ordinary_shares_millions as decimal(24, 6))
            as market_cap_usd_millions
    )
from last_valued
inner join added on last_valued.security_key = added.ticker;
