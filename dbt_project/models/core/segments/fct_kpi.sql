select
    kpis.company_key,
    kpis.kpi,
    kpis.as_of,
    kpis.document_id,
    kpis.value,
    kpis.unit,
    kpis.qualifier,
    kpis.note,
    documents.reported_on,
    row_number() over (
        partition by kpis.company_key, kpis.kpi, kpis.as_of
        order by {{ newest_print_first('documents.') }}
    ) = 1 as is_latest,
    kpis.source_url
from {{ ref('stg_landing__kpi') }} as kpis
left join {{ ref('dim_document') }} as documents on kpis.document_id = documents.document_id
