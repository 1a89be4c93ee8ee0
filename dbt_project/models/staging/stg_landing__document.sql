with counting as (
    {{ rows_that_count('document', ['document_id']) }}
)

select
    document_id,
    company_key,
    kind,
    form,
    accession,
    period_end,
    reported_on,
    title,
    source_quality,
    sha256,
    source_url
from counting
