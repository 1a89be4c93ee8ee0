select
    comparison,
    company_key,
    structure,
    segment_key,
    segment_key is null as is_company_total,
    in_share as is_in_share,
    note
from {{ source('reference', 'comparison_segments') }}
