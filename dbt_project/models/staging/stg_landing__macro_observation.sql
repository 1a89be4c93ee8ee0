with counting as (
    {{ rows_that_count('macro_observation', ['series_id', 'observation_date', 'vintage_date']) }}
)

select
    series_id,
    observation_date,
    vintage_date,
    value,
    unit,
    source_url
from counting
