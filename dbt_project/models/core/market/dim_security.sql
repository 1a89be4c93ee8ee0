select
    security_key,
    company_key,
    name,
    exchange_mic,
    currency,
    security_type,
    ordinary_shares_per_unit,
    role
from {{ source('reference', 'securities') }}
