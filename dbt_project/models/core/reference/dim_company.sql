select
    company_key,
    name,
    cik,
    country,
    reporting_currency,
    fiscal_year_end,
    fiscal_year_end_month,
    peer_group,
    results_source
from {{ source('reference', 'companies') }}
