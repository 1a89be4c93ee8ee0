create table fct_daily_price as
with counting as (
    select * from counting('daily_price')
    qualify row_number() over (
        partition by ticker, session_date
        order by observation_frequency = 'daily' desc, source_rank desc, sequence desc
    ) = 1
),

splits as (
    select ticker, ex_date, value from counting('corporate_action')
    where action = 'split'
    qualify row_number() over (
        partition by ticker, ex_date, action order by source_rank desc, sequence desc
    ) = 1
),

bases as (
    select distinct ticker, split_basis from counting
),

later as (
    select bases.ticker, bases.split_basis, product(splits.value) as split_factor
    from bases
    inner join splits on bases.ticker = splits.ticker and bases.split_basis < splits.ex_date
    group by all
),

sessions as (
    select
        calendar_date as session_date,
        lag(calendar_date) over (order by calendar_date) as session_before
    from calendar_dates
    where is_xnys_session
),

comparable as (
    select
        counting.*,
        coalesce(later.split_factor, 1.0) as split_factor,
        counting.close / coalesce(later.split_factor, 1.0) as comparable_close
    from counting
    left join later using (ticker, split_basis)
),

with_row_before as (
    select
        *,
        lag(session_date) over of_security as date_before,
        lag(comparable_close) over of_security as close_before
    from comparable
    window of_security as (partition by ticker order by session_date)
)

select
    ticker as security_key, session_date, open, high, low, close, adj_close, volume, currency,
    observation_frequency, split_basis, split_factor, source_url,
    case when date_before = session_before then comparable_close / close_before - 1 end
        as daily_return
from with_row_before
left join sessions using (session_date);
