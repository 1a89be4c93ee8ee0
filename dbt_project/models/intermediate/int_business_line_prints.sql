with sums as (
    {{ sums_of_members(
        ref('int_business_line_segment'),
        ['company_key', 'structure', 'business_line', 'from_sublines']
    ) }}
),

-- The lines among which a document divides a total.
tables_printed as (
    select
        structure,
        metric,
        period_end,
        document_id,
        company_key,
        {{ joined_list('segment_key', 'segment_key') }} as table_keys
    from {{ ref('fct_segment_result') }}
    where breakdown <> 'subline' and period_type = 'quarter'
    group by all
)

select
    sums.*,
    -- A line that is printed no more, or not yet, is inside one of the others.
    case
        when sums.from_sublines then sums.segment_keys
        else tables_printed.table_keys
    end as table_keys
from sums
inner join {{ ref('dim_structure') }} as structures
    on sums.company_key = structures.company_key and sums.structure = structures.structure
left join tables_printed
    on
        sums.company_key = tables_printed.company_key
        and sums.structure = tables_printed.structure
        and sums.metric = tables_printed.metric
        and sums.period_end = tables_printed.period_end
        and sums.document_id = tables_printed.document_id
-- Lines are added to each other only where the registry says that they may be: those of a structure
-- that does not add up can overlap.
where
    sums.from_sublines
    or sums.segment_count = 1
    or position('|' || sums.metric || '|' in '|' || structures.adds_up_to || '|') > 0
