with counting as (
    {{ rows_that_count('event', ['event_id']) }}
)

select
    event_id,
    event_date,
    date_precision,
    category,
    title,
    company_keys,
    source_quality,
    source_url
from counting
