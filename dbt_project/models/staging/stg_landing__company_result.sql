with counting as (
    {{ rows_that_count(
        'company_result',
        ['document_id', 'metric', 'period_start', 'period_end', 'currency']
    ) }}
)

select
    document_id,
    company_key,
    metric,
    period_start,
    period_end,
    currency,
    period_type,
    {{ in_millions('value', 'unit') }} as value_millions,
    {{ in_millions('printed_step', 'unit') }} as printed_step_millions,
    column_role,
    locator,
    note,
    source_url
from counting
