{{ config(materialized='table') }}

{#  A resting place is written anew too: it may have found that it begins a chain. #}
select
    restarts.security_key,
    coalesce(max(measured.session_date), {{ beginning() }}) as restart_on
from {{ ref('int_performance_restarts') }} as restarts
left join {{ ref('int_security_performance') }} as measured
    on
        restarts.security_key = measured.security_key
        and restarts.restart_on > measured.session_date
        and measured.is_resting_place
group by restarts.security_key
