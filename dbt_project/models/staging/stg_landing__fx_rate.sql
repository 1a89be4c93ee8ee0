with counting as (
    {{ rows_that_count('fx_rate', ['base', 'quote', 'rate_date']) }}
)

select
    base as base_currency,
    quote as quote_currency,
    rate_date,
    rate as quote_per_base,
    source_url
from counting
