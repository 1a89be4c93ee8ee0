with said as (
    select * from {{ ref('result_assertions') }}
),

documents as (
    select
        documents.*,
        precedence.reason as kind_reason
    from {{ ref('dim_document') }} as documents
    left join {{ ref('int_precedence') }} as precedence
        on documents.kind = precedence.name and precedence.applies_to = 'document_kind'
),

-- One key of one document, as two sources have it.
within_a_document as (
    select
        counting.dataset,
        'same_document' as disagreement,
        counting.company_key,
        counting.segment_key,
        counting.metric,
        counting.period_start,
        counting.period_end,
        counting.currency,
        counting.document_id,
        other.document_id as other_document_id,
        counting.source,
        other.source as other_source,
        counting.value_millions,
        other.value_millions as other_value_millions,
        counting.printed_step_millions,
        other.printed_step_millions as other_printed_step_millions,
        counting.column_role,
        other.column_role as other_column_role,
        counting.source_url,
        other.source_url as other_source_url,
        case
            when counting.source_rank > other.source_rank
                then counting.source || ' outranks ' || other.source || ': ' || precedence.reason
            else counting.source || ' and ' || other.source || ' rank alike: the newer load counts'
        end as reason
    from said as counting
    inner join said as other
        on
            counting.dataset = other.dataset
            and counting.document_id = other.document_id
            and counting.segment_key is not distinct from other.segment_key
            and counting.metric = other.metric
            and counting.period_start = other.period_start
            and counting.period_end = other.period_end
            and counting.currency = other.currency
    left join {{ ref('int_precedence') }} as precedence
        on counting.source = precedence.name and precedence.applies_to = 'source'
    where counting.is_counting and not other.is_counting
),

-- What documents print of the period that they report; comparatives may differ, as recasts do.
printed as (
    select
        said.*,
        documents.ordered_on,
        documents.source_quality,
        documents.document_rank,
        documents.kind,
        documents.kind_reason,
        row_number() over (
            partition by
                said.dataset,
                said.company_key,
                said.segment_key,
                said.metric,
                said.period_start,
                said.period_end,
                said.currency
            order by {{ newest_print_first('documents.') }}
        ) as print_number_from_newest
    from said
    inner join documents on said.document_id = documents.document_id
    where said.is_counting and said.column_role in ('current', 'derived')
),

between_documents as (
    select
        counting.dataset,
        'different_documents' as disagreement,
        counting.company_key,
        counting.segment_key,
        counting.metric,
        counting.period_start,
        counting.period_end,
        counting.currency,
        counting.document_id,
        other.document_id as other_document_id,
        counting.source,
        other.source as other_source,
        counting.value_millions,
        other.value_millions as other_value_millions,
        counting.printed_step_millions,
        other.printed_step_millions as other_printed_step_millions,
        counting.column_role,
        other.column_role as other_column_role,
        counting.source_url,
        other.source_url as other_source_url,
        case
            when counting.ordered_on > other.ordered_on
                then
                    counting.kind || ' of ' || counting.ordered_on::string || ' is newer than '
                    || other.kind || ' of ' || other.ordered_on::string
            when counting.source_quality <> other.source_quality
                then 'official before second-hand on one day'
            when counting.document_rank > other.document_rank
                then
                    counting.kind || ' before ' || other.kind || ' on one day: '
                    || counting.kind_reason
            else 'two documents of one kind and day: the higher document_id counts'
        end as reason
    from printed as counting
    inner join printed as other
        on
            counting.dataset = other.dataset
            and counting.company_key = other.company_key
            and counting.segment_key is not distinct from other.segment_key
            and counting.metric = other.metric
            and counting.period_start = other.period_start
            and counting.period_end = other.period_end
            and counting.currency = other.currency
    where counting.print_number_from_newest = 1 and other.print_number_from_newest > 1
),

compared as (
    select
        *,
        greatest(
            coalesce(printed_step_millions, 0), coalesce(other_printed_step_millions, 0)
        ) as coarser_step_millions
    from (
        select * from within_a_document
        union all
        select * from between_documents
    ) as pairs
)

select
    dataset,
    disagreement,
    company_key,
    segment_key,
    metric,
    period_start,
    period_end,
    currency,
    document_id,
    other_document_id,
    source,
    other_source,
    value_millions,
    other_value_millions,
    (value_millions - other_value_millions)::decimal(24, 6) as difference_millions,
    reason,
    source_url,
    other_source_url
from compared
-- The same figure printed more coarsely is no disagreement. Of a difference of two rounded figures
-- the last digit can be off by one.
where
    2 * abs(value_millions - other_value_millions)
    > coarser_step_millions
    * case when 'derived' in (column_role, other_column_role) then 3 else 1 end
