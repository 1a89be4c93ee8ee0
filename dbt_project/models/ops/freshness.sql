{{ config(tags=['every_build']) }}

with newest as (
    select
        dataset,
        max(newest_observation) as newest_observation
    from {{ source('reference', 'load_log') }}
    group by dataset
),

aged as (
    select
        limits.dataset,
        newest.newest_observation,
        {{ days_between('newest.newest_observation', 'current_date') }}::int as age_days,
        limits.warn_after_days,
        limits.error_after_days
    from {{ source('reference', 'freshness_limits') }} as limits
    left join newest on limits.dataset = newest.dataset
)

select
    dataset,
    newest_observation,
    age_days,
    warn_after_days,
    error_after_days,
    case
        when newest_observation is null then 'no_data'
        when age_days > error_after_days then 'error'
        when age_days > warn_after_days then 'warn'
        else 'fresh'
    end as status
from aged
