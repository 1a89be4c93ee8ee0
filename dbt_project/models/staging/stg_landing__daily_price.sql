with counting as (
    {{ rows_that_count(
        'daily_price',
        ['ticker', 'session_date'],
        prefer="landed.observation_frequency = 'daily'"
    ) }}
)

select
    ticker as security_key,
    session_date,
    open,
    high,
    low,
    close,
    adj_close,
    volume,
    currency,
    observation_frequency,
    split_basis,
    source_url
from counting
