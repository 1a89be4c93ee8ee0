with prints as (
    select
        results.*,
        documents.reported_on,
        coalesce(documents.ordered_on, results.period_end) as ordered_on,
        documents.source_quality,
        documents.document_rank,
        structures.first_reported_period as structure_first_reported
    from {{ ref('stg_landing__segment_result') }} as results
    -- A convenience translation into another currency serves the checks of a batch only.
    inner join {{ ref('dim_company') }} as companies
        on
            results.company_key = companies.company_key
            and results.currency = companies.reporting_currency
    inner join {{ ref('dim_structure') }} as structures
        on
            results.company_key = structures.company_key
            and results.structure = structures.structure
    left join {{ ref('dim_document') }} as documents on results.document_id = documents.document_id
)

{{ segment_prints_with_flags('prints') }}
