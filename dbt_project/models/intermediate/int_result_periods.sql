select distinct
    results.period_start,
    results.period_end,
    results.currency
from (
    select
        metric,
        period_start,
        period_end,
        currency
    from {{ ref('stg_landing__segment_result') }}
    union all
    select
        metric,
        period_start,
        period_end,
        currency
    from {{ ref('stg_landing__company_result') }}
) as results
inner join {{ source('reference', 'metrics') }} as metrics
    on results.metric = metrics.metric and metrics.nature = 'flow'
