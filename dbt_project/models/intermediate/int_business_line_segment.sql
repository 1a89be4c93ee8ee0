-- A segment that carries a business line speaks for it; its sublines would say a part of it again.
with carried as (
    select distinct
        company_key,
        structure,
        business_line
    from {{ ref('dim_segment') }}
    where breakdown <> 'subline'
)

select
    segments.company_key,
    segments.structure,
    segments.business_line,
    segments.breakdown = 'subline' as from_sublines,
    segments.segment_key
from {{ ref('dim_segment') }} as segments
left join carried
    on
        segments.company_key = carried.company_key
        and segments.structure = carried.structure
        and segments.business_line = carried.business_line
where
    segments.business_line is not null
    and (segments.breakdown <> 'subline' or carried.business_line is null)
