{% set windows = ['m1_to_p1', 'p0_to_p5', 'p0_to_p20'] %}
with returns as (
    {% for window in windows -%}
        select
            securities.security_type || '_' || studies.category || '_abnormal_return_{{ window }}'
                as metric,
            studies.event_date,
            studies.abnormal_return_{{ window }}_percent as abnormal_return_percent,
            studies.reason_{{ window }} as reason,
            studies.security_key,
            studies.source_url,
            {{ row_reference('marts.event_returns', ['event_id', 'security_key'], 'studies.') }}
                as evidence
        from {{ ref('event_returns') }} as studies
        inner join {{ ref('dim_security') }} as securities
            on studies.security_key = securities.security_key
        inner join {{ ref('dim_company') }} as companies
            on studies.company_key = companies.company_key and companies.peer_group = 'subject'
        where studies.date_precision = 'day'
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    metric,
    max(event_date) as observed_on,
    'events from ' || min(event_date)::string || ' to ' || max(event_date)::string
        as observed_period,
    (
        sum({{ to_decimal('abnormal_return_percent', 30, 12) }})::double
        / nullif(count(abnormal_return_percent), 0)
    ) as observed_value,
    'percent' as unit,
    security_key || ': ' || max(reason) || ', ' || count(*)::string || ' events' as missing,
    {{ joined_list(
        'case when abnormal_return_percent is not null then evidence end', 'evidence', "'|'"
    ) }} as evidence,
    {{ joined_list(
        'case when abnormal_return_percent is not null then source_url end', 'evidence', "'|'"
    ) }} as source_urls,
    'Mean of ' || count(abnormal_return_percent)::string || ' of ' || count(*)::string
    || ' events, of which '
    || (count(*) filter (where abnormal_return_percent < 0))::string || ' below zero' as note
from returns
group by metric, security_key
