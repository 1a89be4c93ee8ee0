select
    security_key as ticker,
    ex_date,
    action,
    value,
    unit,
    source_url
from {{ ref('stg_landing__corporate_action') }}
