with quarters as (
    select
        *,
        fiscal_year * 4 + fiscal_quarter as fiscal_quarter_index,
        {{ row_reference('marts.alibaba_quarterly', ['period_end']) }} as evidence
    from {{ ref('alibaba_quarterly') }}
),

growth as (
    select
        'cloud_revenue_yoy' as metric,
        period_end as observed_on,
        'quarter to ' || period_end::string as observed_period,
        cloud_revenue_yoy_percent as observed_value,
        'percent' as unit,
        'cloud revenue of the quarter or of the year before' as missing,
        evidence,
        source_url as source_urls,
        null::string as note
    from quarters
),

steps as (
    select
        'cloud_revenue_yoy_change' as metric,
        4 as quarters_back
    union all
    select
        'cloud_revenue_yoy_change_on_quarter' as metric,
        1 as quarters_back
),

growth_changes as (
    select
        steps.metric,
        later.period_end as observed_on,
        'quarter to ' || later.period_end::string || ' against quarter to '
        || earlier.period_end::string as observed_period,
        later.cloud_revenue_yoy_percent - earlier.cloud_revenue_yoy_percent as observed_value,
        'percentage points' as unit,
        'growth of cloud revenue in one of the two quarters' as missing,
        later.evidence || '|' || earlier.evidence as evidence,
        {{ each_once(['later.source_url', 'earlier.source_url']) }} as source_urls,
        'Growth of ' || {{ rounded_text('earlier.cloud_revenue_yoy_percent', 2) }}
        || ' percent, then ' || {{ rounded_text('later.cloud_revenue_yoy_percent', 2) }} as note
    from quarters as later
    cross join steps
    inner join quarters as earlier
        on later.fiscal_quarter_index - steps.quarters_back = earlier.fiscal_quarter_index
),

-- The same segments a year apart, both as the structure of the later quarter divides them.
prints as (
    select prints.*
    from {{ ref('int_comparison_prints') }} as prints
    inner join {{ ref('dim_company') }} as companies
        on prints.company_key = companies.company_key and companies.peer_group = 'subject'
    where prints.is_latest and prints.comparison = 'cloud'
),

sums as (
    select
        structure,
        period_end,
        fiscal_quarter_index,
        is_reporting_structure,
        max(segment_keys) filter (where metric = 'revenue') as segment_keys,
        max(segment_keys) filter (where metric = 'adjusted_ebita') as profit_segment_keys,
        max(value_millions) filter (where metric = 'revenue') as revenue_millions,
        max(value_millions) filter (where metric = 'adjusted_ebita') as adjusted_ebita_millions
    from prints
    group by all
),

referenced as (
    select
        *,
        -- A margin is of the segments that both figures are printed for.
        case
            when profit_segment_keys = segment_keys
                then {{ percent_of('adjusted_ebita_millions', 'revenue_millions') }}
        end as margin_percent,
        {{ segment_references('segment_keys', 'period_end') }} as evidence
    from sums
),

pairs as (
    select
        later.period_end,
        earlier.period_end as period_end_before,
        {{ percent_of('later.revenue_millions', 'quarters.revenue_millions') }} as share_percent,
        {{ percent_of('earlier.revenue_millions', 'quarters_before.revenue_millions') }}
            as share_percent_before,
        later.margin_percent,
        earlier.margin_percent as margin_percent_before,
        later.evidence || '|' || earlier.evidence as segment_evidence,
        quarters.evidence || '|' || quarters_before.evidence as group_evidence,
        {{ each_once(['quarters.source_url', 'quarters_before.source_url']) }} as source_urls,
        'Both as the structure ' || later.structure || ' divides them' as note
    from referenced as later
    inner join quarters on later.period_end = quarters.period_end
    left join referenced as earlier
        on
            later.structure = earlier.structure
            and later.segment_keys = earlier.segment_keys
            and later.fiscal_quarter_index - 4 = earlier.fiscal_quarter_index
    left join quarters as quarters_before on earlier.period_end = quarters_before.period_end
    where later.is_reporting_structure
),

pair_changes as (
    select
        'cloud_share_of_group_change' as metric,
        period_end as observed_on,
        'quarter to ' || period_end::string || ' against quarter to '
        || period_end_before::string as observed_period,
        share_percent - share_percent_before as observed_value,
        'percentage points' as unit,
        'cloud revenue of the quarter and the year before under one structure' as missing,
        segment_evidence || '|' || group_evidence as evidence,
        source_urls,
        'Share of ' || {{ rounded_text('share_percent_before', 2) }} || ' percent, then '
        || {{ rounded_text('share_percent', 2) }} || '. ' || note as note
    from pairs
    union all
    select
        'cloud_margin_change' as metric,
        period_end as observed_on,
        'quarter to ' || period_end::string || ' against quarter to '
        || period_end_before::string as observed_period,
        margin_percent - margin_percent_before as observed_value,
        'percentage points' as unit,
        'cloud revenue and adjusted EBITA of the quarter and the year before under one structure'
            as missing,
        segment_evidence as evidence,
        source_urls,
        'Margin of ' || {{ rounded_text('margin_percent_before', 2) }} || ' percent, then '
        || {{ rounded_text('margin_percent', 2) }} || '. ' || note as note
    from pairs
),

peers as (
    select
        peers.*,
        {{ row_reference(
            'marts.cloud_peers_quarterly', ['company_key', 'calendar_quarter'], 'peers.'
        ) }} as evidence,
        companies.peer_group = 'subject' as is_subject
    from {{ ref('cloud_peers_quarterly') }} as peers
    inner join {{ ref('dim_company') }} as companies on peers.company_key = companies.company_key
),

peer_companies as (
    select distinct
        company_key,
        company_name
    from peers
    where not is_subject
),

against_peers as (
    select
        'cloud_yoy_minus_' || peer_companies.company_key as metric,
        subject.period_end as observed_on,
        subject.calendar_quarter as observed_period,
        subject.revenue_yoy_percent - peers.revenue_yoy_percent as observed_value,
        'percentage points' as unit,
        peer_companies.company_name || ': growth of like segments in '
        || subject.calendar_quarter as missing,
        subject.evidence || '|' || peers.evidence as evidence,
        {{ each_once(['subject.source_url', 'peers.source_url']) }} as source_urls,
        subject.company_name || ' ' || {{ rounded_text('subject.revenue_yoy_percent', 2) }}
        || ' percent, ' || peer_companies.company_name || ' '
        || {{ rounded_text('peers.revenue_yoy_percent', 2) }}
        || coalesce(', ' || peers.note, '') as note
    from peers as subject
    cross join peer_companies
    left join peers
        on
            peer_companies.company_key = peers.company_key
            and subject.calendar_quarter = peers.calendar_quarter
    where subject.is_subject
)

select * from growth
union all
select * from growth_changes
union all
select * from pair_changes
union all
select * from against_peers
