select
    security_key,
    company_key,
    name,
    exchange_mic,
    currency,
    security_type,
    ordinary_shares_per_unit,
    role,
    dividends_recorded_after
from {{ source('reference', 'securities') }}
