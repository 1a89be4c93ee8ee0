with quarters as (
    select
        *,
        fiscal_year * 4 + fiscal_quarter as fiscal_quarter_index,
        {{ row_reference('marts.alibaba_quarterly', ['period_end']) }} as evidence
    from {{ ref('alibaba_quarterly') }}
),

subject as (
    select
        company_key,
        name
    from {{ ref('dim_company') }}
    where peer_group = 'subject'
),

-- What each compared company took now and a year before, like for like, at the exchange rates of
-- now: growth is that of the same segments under one structure.
compared as (
    select
        calendar_quarter,
        company_key,
        company_name,
        revenue_usd_millions::double as revenue,
        revenue_usd_millions::double / nullif(1 + revenue_yoy_percent / 100, 0) as revenue_before,
        revenue_yoy_percent,
        source_url,
        {{ row_reference(
            'marts.commerce_peers_quarterly', ['company_key', 'calendar_quarter']
        ) }} as evidence
    from {{ ref('commerce_peers_quarterly') }}
    where is_in_share
),

compared_companies as (
    select distinct
        members.company_key,
        companies.name
    from {{ ref('dim_comparison_segment') }} as members
    inner join {{ ref('dim_company') }} as companies on members.company_key = companies.company_key
    where members.comparison = 'commerce' and members.is_in_share
),

compared_quarters as (
    select
        subject_quarters.calendar_quarter,
        subject_quarters.period_end,
        count(*) as companies,
        count(compared.revenue_before) as companies_with_both,
        max(
            case
                when compared_companies.company_key = subject.company_key then compared.revenue
            end
        ) as subject_revenue,
        max(
            case
                when compared_companies.company_key = subject.company_key
                    then compared.revenue_before
            end
        ) as subject_revenue_before,
        sum({{ to_decimal('compared.revenue', 24, 6) }})::double as all_revenue,
        sum({{ to_decimal('compared.revenue_before', 24, 6) }})::double as all_revenue_before,
        {{ joined_list(
            'case when compared.revenue_before is null then compared_companies.name end',
            'compared_companies.company_key'
        ) }} as without_both,
        {{ joined_list(
            "compared_companies.name || ' ' || "
            ~ rounded_text('compared.revenue_yoy_percent', 2) ~ " || ' percent'",
            'compared_companies.company_key'
        ) }} as growth,
        {{ joined_list('compared.evidence', 'compared_companies.company_key', "'|'") }} as evidence,
        {{ joined_list('compared.source_url', 'compared_companies.company_key', "'|'") }}
            as source_urls
    from quarters as subject_quarters
    cross join compared_companies
    cross join subject
    left join compared
        on
            subject_quarters.calendar_quarter = compared.calendar_quarter
            and compared_companies.company_key = compared.company_key
    group by subject_quarters.calendar_quarter, subject_quarters.period_end
),

share_changes as (
    select
        'commerce_share_change' as metric,
        period_end as observed_on,
        calendar_quarter || ' against the year before' as observed_period,
        case
            when companies = companies_with_both
                then
                    {{ percent_of('subject_revenue', 'all_revenue') }}
                    - {{ percent_of('subject_revenue_before', 'all_revenue_before') }}
        end as observed_value,
        'percentage points' as unit,
        'domestic commerce revenue like for like in ' || calendar_quarter || ' of '
        || without_both as missing,
        evidence,
        source_urls,
        'Share of '
        || {{ rounded_text('100 * subject_revenue_before / nullif(all_revenue_before, 0)', 2) }}
        || ' percent, then '
        || {{ rounded_text('100 * subject_revenue / nullif(all_revenue, 0)', 2) }}
        || '. Growth: ' || growth as note
    from compared_quarters
),

-- Domestic commerce of the subject and the same segments a year before, under one structure.
sums as (
    select
        prints.structure,
        prints.period_end,
        prints.fiscal_quarter_index,
        prints.is_reporting_structure,
        max(prints.segment_keys) filter (where prints.metric = 'revenue') as segment_keys,
        max(prints.segment_keys) filter (
            where prints.metric = 'adjusted_ebita'
        ) as profit_segment_keys,
        max(prints.value_millions) filter (where prints.metric = 'revenue') as revenue_millions,
        max(prints.value_millions) filter (
            where prints.metric = 'adjusted_ebita'
        ) as adjusted_ebita_millions
    from {{ ref('int_comparison_prints') }} as prints
    inner join subject on prints.company_key = subject.company_key
    where prints.is_latest and prints.comparison = 'commerce'
    group by all
),

parts as (
    select
        sums.*,
        quarters.currency,
        quarters.adjusted_ebita_millions as group_adjusted_ebita_millions,
        {{ percent_of('sums.revenue_millions', 'quarters.revenue_millions') }} as share_percent,
        {{ segment_references('sums.segment_keys', 'sums.period_end') }} || '|'
        || quarters.evidence as evidence,
        {{ segment_references('sums.profit_segment_keys', 'sums.period_end') }} || '|'
        || quarters.evidence as profit_evidence,
        quarters.source_url
    from sums
    inner join quarters on sums.period_end = quarters.period_end
),

yearly as (
    select
        later.period_end,
        later.fiscal_quarter_index,
        later.structure,
        earlier.period_end as period_end_before,
        later.share_percent,
        earlier.share_percent as share_percent_before,
        later.share_percent - earlier.share_percent as share_change,
        later.evidence || '|' || earlier.evidence as evidence,
        {{ each_once(['later.source_url', 'earlier.source_url']) }} as source_urls
    from parts as later
    left join parts as earlier
        on
            later.structure = earlier.structure
            and later.segment_keys = earlier.segment_keys
            and later.fiscal_quarter_index - 4 = earlier.fiscal_quarter_index
    where later.is_reporting_structure
),

revenue_changes as (
    select
        'domestic_commerce_revenue_share_change_yoy' as metric,
        period_end as observed_on,
        'quarter to ' || period_end::string || ' against quarter to '
        || period_end_before::string as observed_period,
        share_change as observed_value,
        'percentage points' as unit,
        'domestic commerce revenue of the year before under the same structure' as missing,
        evidence,
        source_urls,
        'Share of ' || {{ rounded_text('share_percent_before', 2) }} || ' percent, then '
        || {{ rounded_text('share_percent', 2) }} || ' under ' || structure as note
    from yearly
    union all
    select
        'domestic_commerce_revenue_share_change' as metric,
        later.period_end as observed_on,
        'quarter to ' || later.period_end::string || ' against quarter to '
        || earlier.period_end_before::string as observed_period,
        later.share_change + earlier.share_change as observed_value,
        'percentage points' as unit,
        'domestic commerce revenue in pairs of one structure over eight quarters' as missing,
        later.evidence || '|' || earlier.evidence as evidence,
        {{ each_once(['later.source_urls', 'earlier.source_urls']) }} as source_urls,
        'Two years added up: ' || {{ rounded_text('earlier.share_percent_before', 2) }} || ' to '
        || {{ rounded_text('earlier.share_percent', 2) }} || ' percent under ' || earlier.structure
        || ', ' || {{ rounded_text('later.share_percent_before', 2) }} || ' to '
        || {{ rounded_text('later.share_percent', 2) }} || ' percent under ' || later.structure
            as note
    from yearly as later
    left join yearly as earlier on later.fiscal_quarter_index - 4 = earlier.fiscal_quarter_index
),

-- The share of profit over four quarters: single quarters of the group come near to zero.
windows as (
    select
        later.structure,
        later.period_end,
        parts.period_end as part_period_end,
        parts.adjusted_ebita_millions,
        parts.group_adjusted_ebita_millions,
        parts.profit_evidence as evidence,
        parts.profit_segment_keys,
        parts.source_url,
        later.currency,
        later.fiscal_quarter_index - parts.fiscal_quarter_index as quarters_back,
        later.fiscal_quarter_index - parts.fiscal_quarter_index < 4 as is_of_latest_year
    from parts as later
    inner join parts
        on
            later.structure = parts.structure
            and later.fiscal_quarter_index >= parts.fiscal_quarter_index
            and later.fiscal_quarter_index - 8 < parts.fiscal_quarter_index
    where later.is_reporting_structure
),

profit_years as (
    select
        structure,
        period_end,
        max(currency) as currency,
        sum(adjusted_ebita_millions) filter (
            where is_of_latest_year
        ) as profit,
        sum(group_adjusted_ebita_millions) filter (
            where is_of_latest_year
        ) as group_profit,
        sum(adjusted_ebita_millions) filter (
            where not is_of_latest_year
        ) as profit_before,
        sum(group_adjusted_ebita_millions) filter (
            where not is_of_latest_year
        ) as group_profit_before,
        count(adjusted_ebita_millions) as quarters_with_profit,
        count(distinct profit_segment_keys) as divisions,
        count(group_adjusted_ebita_millions) as quarters_with_group_profit,
        {{ joined_list('evidence', 'quarters_back', "'|'") }} as evidence,
        {{ joined_list('source_url', 'quarters_back', "'|'") }} as source_urls
    from windows
    group by structure, period_end
),

profit_changes as (
    select
        'domestic_commerce_profit_share_change' as metric,
        period_end as observed_on,
        'four quarters to ' || period_end::string || ' against the four before' as observed_period,
        case
            when quarters_with_profit = 8 and quarters_with_group_profit = 8 and divisions = 1
                then
                    {{ percent_of('profit', 'group_profit') }}
                    - {{ percent_of('profit_before', 'group_profit_before') }}
        end as observed_value,
        'percentage points' as unit,
        'adjusted EBITA of domestic commerce for eight quarters under ' || structure as missing,
        evidence,
        source_urls,
        'Adjusted EBITA of ' || round(profit_before)::bigint::string || ' of '
        || round(group_profit_before)::bigint::string || ' million ' || currency || ', then '
        || round(profit)::bigint::string || ' of ' || round(group_profit)::bigint::string
        || '; above 100 percent where other businesses lose money' as note
    from profit_years
)

select * from share_changes
union all
select * from revenue_changes
union all
select * from profit_changes
