select
    claim_id,
    statement,
    metric,
    rule,
    threshold,
    unit,
    period,
    observations,
    second_metric,
    if_missing
from {{ source('reference', 'claims') }}
