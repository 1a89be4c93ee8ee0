select
    segments.segment_key,
    segments.company_key,
    segments.structure,
    segments.name,
    segments.breakdown,
    segments.parent_segment_key,
    segments.business_line,
    segments.required as is_required,
    nullif(segments.aliases, '') as aliases,
    structures.first_reported_period as valid_from,
    structures.last_reported_period as valid_to
from {{ source('reference', 'segments') }} as segments
inner join {{ source('reference', 'structures') }} as structures
    on
        segments.company_key = structures.company_key
        and segments.structure = structures.structure
