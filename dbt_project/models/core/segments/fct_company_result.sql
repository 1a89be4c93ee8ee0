with prints as (
    select
        results.*,
        documents.reported_on,
        coalesce(documents.ordered_on, results.period_end) as ordered_on,
        documents.source_quality,
        documents.document_rank
    from {{ ref('stg_landing__company_result') }} as results
    inner join {{ ref('dim_company') }} as companies
        on results.company_key = companies.company_key
    left join {{ ref('dim_document') }} as documents on results.document_id = documents.document_id
    -- The reporting currency where the document prints it, else the currency that it prints.
    qualify row_number() over (
        partition by
            results.company_key,
            results.metric,
            results.period_start,
            results.period_end,
            results.document_id
        order by
            case when results.currency = companies.reporting_currency then 0 else 1 end,
            results.currency
    ) = 1
),

placed as (
    select
        *,
        row_number() over (
            partition by company_key, metric, period_start, period_end
            order by {{ oldest_print_first() }}
        )::int as print_number,
        row_number() over (
            partition by company_key, metric, period_start, period_end
            order by {{ newest_print_first() }}
        ) as print_number_from_newest,
        lag(value_millions) over (
            partition by company_key, metric, period_start, period_end, currency
            order by {{ oldest_print_first() }}
        ) as earlier_value_millions,
        lag(printed_step_millions) over (
            partition by company_key, metric, period_start, period_end, currency
            order by {{ oldest_print_first() }}
        ) as earlier_step_millions
    from prints
)

select
    company_key,
    metric,
    period_start,
    period_end,
    document_id,
    period_type,
    value_millions,
    printed_step_millions,
    currency,
    column_role,
    {{ basis_of_print() }} as basis,
    reported_on,
    ordered_on,
    source_quality,
    document_rank,
    print_number = 1 and column_role in ('current', 'derived') as is_original,
    print_number_from_newest = 1 as is_latest,
    print_number,
    locator,
    note,
    source_url
from placed
