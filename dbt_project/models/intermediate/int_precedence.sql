select
    applies_to,
    name,
    rank,
    reason
from {{ source('reference', 'precedence') }}
