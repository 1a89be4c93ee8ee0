select
    security_key,
    ex_date,
    action,
    value,
    unit,
    source_url
from {{ ref('stg_landing__corporate_action') }}
