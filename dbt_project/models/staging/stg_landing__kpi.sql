with counting as (
    {{ rows_that_count('kpi', ['company_key', 'kpi', 'as_of', 'document_id']) }}
)

select
    company_key,
    kpi,
    as_of,
    document_id,
    value,
    unit,
    qualifier,
    note,
    source_url
from counting
