select
    base,
    quote,
    rate_date,
    rate,
    source_url
from {{ ref('stg_landing__fx_rate') }}
