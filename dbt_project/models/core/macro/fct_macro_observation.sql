select
    series_id,
    observation_date,
    vintage_date,
    value,
    unit,
    source_url
from {{ ref('stg_landing__macro_observation') }}
