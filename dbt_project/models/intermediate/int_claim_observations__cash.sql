with quarters as (
    select
        *,
        fiscal_year * 4 + fiscal_quarter as fiscal_quarter_index,
        {{ row_reference('marts.alibaba_quarterly', ['period_end']) }} as evidence
    from {{ ref('alibaba_quarterly') }}
),

-- Each quarter and the seven before it, so far as they are on record.
windows as (
    select
        later.period_end,
        parts.period_end as part_period_end,
        parts.evidence,
        parts.source_url,
        later.currency,
        parts.capital_expenditure_millions,
        parts.operating_cash_flow_millions,
        later.fiscal_quarter_index - parts.fiscal_quarter_index as quarters_back,
        later.fiscal_quarter_index - parts.fiscal_quarter_index < 4 as is_of_latest_year
    from quarters as later
    inner join quarters as parts
        on
            later.fiscal_quarter_index >= parts.fiscal_quarter_index
            and later.fiscal_quarter_index - 8 < parts.fiscal_quarter_index
),

years as (
    select
        period_end,
        max(currency) as currency,
        sum(capital_expenditure_millions) filter (
            where is_of_latest_year
        ) as capex,
        sum(capital_expenditure_millions) filter (
            where not is_of_latest_year
        ) as capex_before,
        sum(operating_cash_flow_millions) filter (
            where is_of_latest_year
        ) as cash_flow,
        count(capital_expenditure_millions) filter (
            where is_of_latest_year
        ) as capex_quarters,
        count(capital_expenditure_millions) as capex_quarters_of_both,
        count(operating_cash_flow_millions) filter (
            where is_of_latest_year
        ) as cash_flow_quarters,
        {{ joined_list(
            "case when capital_expenditure_millions is null then part_period_end::string end",
            'part_period_end'
        ) }} as without_capex,
        {{ joined_list(
            "case when is_of_latest_year and operating_cash_flow_millions is null "
            ~ "then part_period_end::string end",
            'part_period_end'
        ) }} as without_cash_flow,
        {{ joined_list('evidence', 'quarters_back', "'|'") }} as evidence,
        {{ joined_list(
            'case when is_of_latest_year then evidence end', 'quarters_back', "'|'"
        ) }} as evidence_of_latest_year,
        {{ joined_list('source_url', 'quarters_back', "'|'") }} as source_urls,
        {{ joined_list(
            'case when is_of_latest_year then source_url end', 'quarters_back', "'|'"
        ) }} as source_urls_of_latest_year
    from windows
    group by period_end
),

share_counts as (
    select
        kpis.*,
        {{ row_reference(
            'core.fct_kpi', ['company_key', 'kpi', 'as_of', 'document_id'], 'kpis.'
        ) }} as evidence
    from {{ ref('fct_kpi') }} as kpis
    inner join {{ ref('dim_company') }} as companies
        on kpis.company_key = companies.company_key and companies.peer_group = 'subject'
    where kpis.is_latest and kpis.kpi = 'ordinary_shares_outstanding'
),

-- A count is stated as of a day near the end of a quarter; the one of the year before is that
-- nearest to the same day.
share_changes as (
    select
        later.as_of,
        earlier.as_of as as_of_before,
        later.value,
        earlier.value as value_before,
        later.evidence || '|' || earlier.evidence as evidence,
        {{ each_once(['later.source_url', 'earlier.source_url']) }} as source_urls,
        coalesce(later.qualifier, earlier.qualifier) = 'rounded' as is_rounded
    from share_counts as later
    inner join share_counts as earlier
        on
            earlier.as_of >= {{ add_months('later.as_of', -13) }}
            and earlier.as_of <= {{ add_months('later.as_of', -11) }}
    qualify row_number() over (
        partition by later.as_of
        order by
            abs({{ days_between('earlier.as_of', add_months('later.as_of', -12)) }}),
            earlier.as_of desc
    ) = 1
)

select
    'capex_ttm_change' as metric,
    period_end as observed_on,
    'four quarters to ' || period_end::string || ' against the four before' as observed_period,
    case
        when capex_quarters_of_both = 8 then {{ growth_percent('capex', 'capex_before') }}
    end as observed_value,
    'percent' as unit,
    'capital expenditure of a quarter' || coalesce(', ' || without_capex, '') as missing,
    evidence,
    source_urls,
    currency || ' ' || round(capex_before)::bigint::string || ' million, then '
    || round(capex)::bigint::string || ' million' as note
from years
union all
select
    'operating_cash_flow_to_capex_ttm' as metric,
    period_end as observed_on,
    'four quarters to ' || period_end::string as observed_period,
    case
        when capex_quarters = 4 and cash_flow_quarters = 4
            then cash_flow::double / nullif(capex, 0)::double
    end as observed_value,
    'ratio' as unit,
    case
        when without_cash_flow is not null
            then 'operating cash flow of the quarters to ' || without_cash_flow
        else 'capital expenditure of a quarter'
    end as missing,
    evidence_of_latest_year as evidence,
    source_urls_of_latest_year as source_urls,
    'Operating cash flow of ' || currency || ' ' || round(cash_flow)::bigint::string
    || ' million, capital expenditure of ' || round(capex)::bigint::string || ' million' as note
from years
union all
select
    'ordinary_shares_change' as metric,
    as_of as observed_on,
    as_of::string || ' against ' || as_of_before::string as observed_period,
    {{ growth_percent('value', 'value_before') }} as observed_value,
    'percent' as unit,
    null::string as missing,
    evidence,
    source_urls,
    round(value_before)::bigint::string || ' million ordinary shares, then '
    || round(value)::bigint::string
    || case when is_rounded then '; a count is rounded to hundreds of millions' else '' end as note
from share_changes
union all
select
    'ordinary_shares_change' as metric,
    quarters.period_end as observed_on,
    'quarter to ' || quarters.period_end::string as observed_period,
    null::double as observed_value,
    'percent' as unit,
    'count of ordinary shares at ' || quarters.period_end::string as missing,
    null::string as evidence,
    null::string as source_urls,
    null::string as note
from quarters
left join share_changes on quarters.period_end = share_changes.as_of
where share_changes.as_of is null
