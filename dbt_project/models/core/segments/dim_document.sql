select
    document_id,
    company_key,
    kind,
    form,
    accession,
    period_end,
    reported_on,
    coalesce(reported_on, period_end) as ordered_on,
    title,
    source_quality,
    sha256,
    source_url
from {{ ref('stg_landing__document') }}
