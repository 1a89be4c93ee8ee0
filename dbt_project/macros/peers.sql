{#
    A comparison by company and calendar quarter: each company's own figures from
    `int_comparison_quarterly`, its share of the compared total and its growth beside the subject's.

    The total is in US dollars and over the companies in the share that have a figure for the calendar
    quarter. If one of those cannot be converted there is no total: a sum without it would be another
    comparison than the companies named beside it say.
#}
{% macro peers_quarterly(comparison) %}
with figures as (
    select * from {{ ref('int_comparison_quarterly') }}
    where comparison = '{{ comparison }}'
),

compared as (
    select
        calendar_quarter,
        count(*)::int as company_count,
        {{ joined_list('company_key', 'company_key') }} as company_keys,
        case
            when count(revenue_usd_millions) = count(*) then sum(revenue_usd_millions)
        end::decimal(24, 6) as revenue_usd_millions
    from figures
    where is_in_share
    group by calendar_quarter
),

subject as (
    select
        figures.calendar_quarter,
        figures.revenue_yoy_percent
    from figures
    inner join {{ ref('dim_company') }} as companies
        on figures.company_key = companies.company_key and companies.peer_group = 'subject'
)

select
    figures.company_key,
    figures.calendar_quarter,
    companies.name as company_name,
    figures.period_start,
    figures.period_end,
    figures.fiscal_year,
    figures.fiscal_quarter,
    figures.structure,
    figures.structure_before,
    figures.is_structure_break,
    figures.segment_keys,
    figures.is_company_total,
    figures.revenue_millions,
    figures.currency,
    figures.revenue_usd_millions,
    figures.revenue_yoy_percent,
    figures.revenue_yoy_document_id,
    figures.revenue_yoy_base_document_id,
    subject.revenue_yoy_percent as subject_revenue_yoy_percent,
    figures.revenue_yoy_percent - subject.revenue_yoy_percent
        as revenue_yoy_above_subject_percentage_points,
    figures.profit_metric,
    figures.profit_millions,
    figures.profit_usd_millions,
    figures.margin_percent,
    figures.group_revenue_millions,
    figures.share_of_group_percent,
    figures.is_in_share,
    case
        when figures.is_in_share
            then {{ percent_of('figures.revenue_usd_millions', 'compared.revenue_usd_millions') }}
    end as share_of_compared_percent,
    compared.revenue_usd_millions as compared_revenue_usd_millions,
    coalesce(compared.company_count, 0) as compared_company_count,
    compared.company_keys as compared_company_keys,
    figures.note,
    figures.document_id,
    figures.profit_document_id,
    documents.reported_on,
    documents.source_quality,
    documents.source_url
from figures
inner join {{ ref('dim_company') }} as companies on figures.company_key = companies.company_key
left join compared on figures.calendar_quarter = compared.calendar_quarter
left join subject on figures.calendar_quarter = subject.calendar_quarter
left join {{ ref('dim_document') }} as documents on figures.document_id = documents.document_id
{% endmacro %}
