select
    base_currency,
    quote_currency,
    rate_date,
    quote_per_base,
    source_url
from {{ ref('stg_landing__fx_rate') }}
