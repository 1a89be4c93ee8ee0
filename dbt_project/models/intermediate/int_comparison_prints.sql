with members as (
    select
        members.comparison,
        members.company_key,
        members.structure,
        members.segment_key,
        results.metric,
        -- After this day the line is printed no more: another one has taken it in.
        max(results.ordered_on) filter (
            where results.column_role <> 'prior_year'
        ) as last_printed_on
    from {{ ref('dim_comparison_segment') }} as members
    inner join {{ ref('fct_segment_result') }} as results
        on members.segment_key = results.segment_key
    group by all
),

sums as (
    select
        members.comparison,
        members.company_key,
        members.structure,
        members.metric,
        results.period_start,
        results.period_end,
        results.document_id,
        results.currency,
        results.ordered_on,
        results.source_quality,
        results.is_reporting_structure,
        sum(results.value_millions)::decimal(24, 6) as value_millions,
        count(*) filter (where members.last_printed_on >= results.ordered_on) as members_printed
    from members
    inner join {{ ref('fct_segment_result') }} as results
        on members.segment_key = results.segment_key and members.metric = results.metric
    where results.period_type = 'quarter'
    group by all
),

complete as (
    select sums.*
    from sums
    inner join members
        on
            sums.comparison = members.comparison
            and sums.company_key = members.company_key
            and sums.structure = members.structure
            and sums.metric = members.metric
    group by all
    having
        count(*) filter (where members.last_printed_on >= sums.ordered_on) = sums.members_printed
)

select
    complete.comparison,
    complete.company_key,
    complete.structure,
    complete.metric,
    complete.period_start,
    complete.period_end,
    complete.document_id,
    periods.fiscal_quarter_index,
    complete.currency,
    complete.value_millions,
    complete.ordered_on,
    complete.source_quality,
    complete.is_reporting_structure,
    row_number() over (
        partition by
            complete.comparison,
            complete.company_key,
            complete.structure,
            complete.metric,
            complete.period_end
        order by {{ newest_print_first('complete.') }}
    ) = 1 as is_latest
from complete
inner join {{ ref('dim_fiscal_period') }} as periods
    on complete.company_key = periods.company_key and complete.period_end = periods.period_end
