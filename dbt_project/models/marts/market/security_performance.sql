{{ config(
    materialized=kept_as(), unique_key=['security_key', 'session_date'], on_schema_change='fail'
) }}
{{ waits_for(['int_performance_resumed']) }}

select
    measured.security_key,
    measured.session_date,
    securities.company_key,
    securities.name as security_name,
    measured.currency,
    measured.observation_frequency,
    measured.close,
    measured.adj_close,
    measured.total_return_index,
    measured.index_base_date,
    measured.return_basis,
    measured.price_return_index,
    measured.drawdown_from_peak_percent,
    measured.peak_date,
    measured.return_since_trough_percent,
    measured.trough_date,
    {% for name in benchmarks() -%}
        measured.relative_to_{{ name }},
        measured.relative_to_{{ name }}_since,
    {% endfor -%}
    measured.source_url
from {{ ref('int_security_performance') }} as measured
inner join {{ ref('dim_security') }} as securities
    on measured.security_key = securities.security_key
{% if goes_on() %}
    inner join {{ ref('int_performance_resumed') }} as resumed
        on
            measured.security_key = resumed.security_key
            and measured.session_date >= resumed.restart_on
    where measured.session_date >= {{ first_restart('int_performance_resumed') }}
{% endif %}
