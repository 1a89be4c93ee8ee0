with prints as (
    select
        results.*,
        segments.business_line,
        first_value(results.value_millions) over (
            partition by
                results.segment_key, results.metric, results.period_start, results.period_end
            order by results.print_number
        ) as first_value_millions,
        first_value(results.document_id) over (
            partition by
                results.segment_key, results.metric, results.period_start, results.period_end
            order by results.print_number
        ) as first_document_id,
        lag(results.value_millions) over (
            partition by
                results.segment_key, results.metric, results.period_start, results.period_end
            order by results.print_number
        ) as previous_value_millions,
        lag(results.document_id) over (
            partition by
                results.segment_key, results.metric, results.period_start, results.period_end
            order by results.print_number
        ) as previous_document_id
    from {{ ref('fct_segment_result') }} as results
    inner join {{ ref('dim_segment') }} as segments on results.segment_key = segments.segment_key
),

-- What a segment is matched by: each comparison it belongs to, and its business line within its
-- breakdown. A comparison is the closer match.
memberships as (
    select
        segment_key,
        comparison || ' comparison' as matched_by,
        1 as preference
    from {{ ref('dim_comparison_segment') }}
    where not is_company_total
    union all
    select
        segment_key,
        business_line || ' ' || breakdown as matched_by,
        2 as preference
    from {{ ref('dim_segment') }}
    where business_line is not null
),

-- As first reported: the sum of the matching segments in the period's reporting structure.
counterparts as (
    select
        results.company_key,
        memberships.matched_by,
        results.metric,
        results.period_start,
        results.period_end,
        {{ joined_list('results.segment_key', 'results.segment_key') }} as segment_keys,
        sum(results.value_millions)::decimal(24, 6) as value_millions
    from {{ ref('fct_segment_result') }} as results
    inner join memberships on results.segment_key = memberships.segment_key
    where results.is_reporting_structure and results.print_number = 1
    group by all
),

-- The same sum within the document that recasts the period.
own_sums as (
    select
        prints.document_id,
        prints.structure,
        memberships.matched_by,
        prints.metric,
        prints.period_start,
        prints.period_end,
        sum(prints.value_millions)::decimal(24, 6) as value_millions
    from prints
    inner join memberships on prints.segment_key = memberships.segment_key
    where not prints.is_reporting_structure
    group by all
),

across_structures as (
    select
        prints.segment_key,
        prints.metric,
        prints.period_start,
        prints.period_end,
        prints.document_id,
        memberships.matched_by,
        own_sums.value_millions as own_value_millions,
        counterparts.segment_keys,
        counterparts.value_millions
    from prints
    inner join memberships on prints.segment_key = memberships.segment_key
    inner join own_sums
        on
            prints.document_id = own_sums.document_id
            and prints.structure = own_sums.structure
            and memberships.matched_by = own_sums.matched_by
            and prints.metric = own_sums.metric
            and prints.period_start = own_sums.period_start
            and prints.period_end = own_sums.period_end
    inner join counterparts
        on
            prints.company_key = counterparts.company_key
            and memberships.matched_by = counterparts.matched_by
            and prints.metric = counterparts.metric
            and prints.period_start = counterparts.period_start
            and prints.period_end = counterparts.period_end
    where not prints.is_reporting_structure
    qualify row_number() over (
        partition by
            prints.segment_key,
            prints.metric,
            prints.period_start,
            prints.period_end,
            prints.document_id
        order by memberships.preference, memberships.matched_by
    ) = 1
)

select
    prints.segment_key,
    prints.metric,
    prints.period_start,
    prints.period_end,
    prints.document_id,
    prints.company_key,
    prints.structure,
    prints.breakdown,
    prints.business_line,
    prints.print_number,
    prints.basis,
    prints.is_latest,
    prints.is_reporting_structure,
    prints.value_millions,
    prints.currency,
    prints.first_value_millions,
    prints.first_document_id,
    prints.previous_value_millions,
    prints.previous_document_id,
    (prints.value_millions - prints.first_value_millions)::decimal(24, 6)
        as difference_from_first_millions,
    (prints.value_millions - prints.previous_value_millions)::decimal(24, 6)
        as difference_from_previous_millions,
    across_structures.matched_by as counterpart_matched_by,
    across_structures.segment_keys as counterpart_segment_keys,
    across_structures.value_millions as counterpart_value_millions,
    across_structures.own_value_millions as matched_value_millions,
    (across_structures.own_value_millions - across_structures.value_millions)::decimal(24, 6)
        as difference_from_counterpart_millions,
    prints.reported_on,
    prints.source_url
from prints
left join across_structures
    on
        prints.segment_key = across_structures.segment_key
        and prints.metric = across_structures.metric
        and prints.period_start = across_structures.period_start
        and prints.period_end = across_structures.period_end
        and prints.document_id = across_structures.document_id
