with counting as (
    {{ rows_that_count('fx_rate', ['base', 'quote', 'rate_date']) }}
)

select
    base,
    quote,
    rate_date,
    rate,
    source_url
from counting
