select
    series_id,
    name,
    region,
    unit,
    frequency,
    yoy_source,
    official_yoy_series,
    source,
    note
from {{ source('reference', 'macro_series') }}
