{% set topics = ['cloud', 'commerce', 'cash', 'market', 'events', 'disclosure'] %}
{% for topic in topics -%}
    select
        metric,
        observed_on,
        observed_period,
        observed_value,
        unit,
        case when observed_value is null then missing end as missing,
        case when observed_value is not null then evidence end as evidence,
        case when observed_value is not null then source_urls end as source_urls,
        case when observed_value is not null then note end as note
    from {{ ref('int_claim_observations__' ~ topic) }}
    {{ 'union all' if not loop.last }}
{% endfor %}
