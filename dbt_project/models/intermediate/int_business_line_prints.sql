with sums as (
    {{ sums_of_members(
        ref('int_business_line_segment'),
        ['company_key', 'structure', 'business_line', 'from_sublines']
    ) }}
)

select sums.*
from sums
inner join {{ ref('dim_structure') }} as structures
    on sums.company_key = structures.company_key and sums.structure = structures.structure
-- Lines are added to each other only where the registry says that they may be: those of a structure
-- that does not add up can overlap.
where
    sums.from_sublines
    or sums.segment_count = 1
    or position('|' || sums.metric || '|' in '|' || structures.adds_up_to || '|') > 0
