select
    metric,
    measure,
    nature,
    gaap as is_gaap,
    definition
from {{ source('reference', 'metrics') }}
