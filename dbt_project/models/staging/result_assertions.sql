{%- set company_key = ['document_id', 'metric', 'period_start', 'period_end', 'currency'] %}
{%- set segment_key = ['segment_key'] + company_key %}
with segment_results as (
    {{ newest_of_each_source('segment_result', segment_key) }}
),

company_results as (
    {{ newest_of_each_source('company_result', company_key) }}
)

select
    'segment_result' as dataset,
    document_id,
    segment_key,
    metric,
    period_start,
    period_end,
    currency,
    company_key,
    {{ in_millions('value', 'unit') }} as value_millions,
    {{ in_millions('printed_step', 'unit') }} as printed_step_millions,
    column_role,
    source,
    source_rank,
    is_counting,
    source_url
from segment_results
union all
select
    'company_result' as dataset,
    document_id,
    null as segment_key,
    metric,
    period_start,
    period_end,
    currency,
    company_key,
    {{ in_millions('value', 'unit') }} as value_millions,
    {{ in_millions('printed_step', 'unit') }} as printed_step_millions,
    column_role,
    source,
    source_rank,
    is_counting,
    source_url
from company_results
