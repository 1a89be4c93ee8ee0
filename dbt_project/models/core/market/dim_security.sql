select
    securities.security_key,
    securities.company_key,
    securities.name,
    securities.exchange_mic,
    exchanges.calendar,
    exchanges.market_benchmark,
    securities.currency,
    securities.security_type,
    securities.ordinary_shares_per_unit,
    securities.role,
    securities.dividends_recorded_after
from {{ source('reference', 'securities') }} as securities
left join {{ source('reference', 'exchanges') }} as exchanges
    on securities.exchange_mic = exchanges.exchange_mic
