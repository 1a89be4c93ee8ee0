select
    kpi,
    unit,
    definition
from {{ source('reference', 'kpis') }}
