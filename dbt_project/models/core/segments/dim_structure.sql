select
    company_key,
    structure,
    name,
    breakdown,
    nullif(adds_up_to, '') as adds_up_to,
    first_reported_period,
    last_reported_period
from {{ source('reference', 'structures') }}
