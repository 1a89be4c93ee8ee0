{{ config(materialized='table') }}
{% set rows_at_a_time = env_var('WAREHOUSE_SLICE_ROWS', '1000000') %}

with counted as (
    select
        ticker as security_key,
        count(*) as price_rows
    from {{ source('landing', 'daily_price') }}
    where {{ 'false' if goes_on() else 'true' }}
    group by ticker
),

placed as (
    select
        security_key,
        floor(
            (sum(price_rows) over (order by security_key) - price_rows) / {{ rows_at_a_time }}
        ) as slice
    from counted
)

select
    min(security_key) as first_key,
    max(security_key) as last_key
from placed
group by slice
