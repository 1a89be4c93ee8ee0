select
    event_id,
    event_date,
    date_precision,
    category,
    title,
    company_keys,
    source_quality,
    source_url
from {{ ref('stg_landing__event') }}
