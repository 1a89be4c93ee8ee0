select
    documents.document_id,
    documents.company_key,
    documents.kind,
    documents.form,
    documents.accession,
    documents.period_end,
    documents.reported_on,
    coalesce(documents.reported_on, documents.period_end) as ordered_on,
    documents.title,
    documents.source_quality,
    precedence.rank as document_rank,
    documents.sha256,
    documents.source_url
from {{ ref('stg_landing__document') }} as documents
left join {{ ref('int_precedence') }} as precedence
    on documents.kind = precedence.name and precedence.applies_to = 'document_kind'
