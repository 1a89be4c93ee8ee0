{{ config(materialized='table', tags=['every_build']) }}

{% if goes_on() %}
    with said as (
        select
            prices.ticker as security_key,
            min(prices.session_date) as restart_on
        from {{ source('landing', 'daily_price') }} as prices
        inner join {{ source('reference', 'changed') }} as changed
            on changed.dataset = 'daily_price' and prices.batch_id = changed.batch_id
        group by prices.ticker
        union all
        -- A split changes every row before it, a dividend none.
        select
            actions.ticker as security_key,
            min(case when actions.action = 'split' then {{ beginning() }} else actions.ex_date end)
                as restart_on
        from {{ source('landing', 'corporate_action') }} as actions
        inner join {{ source('reference', 'changed') }} as changed
            on changed.dataset = 'corporate_action' and actions.batch_id = changed.batch_id
        group by actions.ticker
    )

    select
        security_key,
        min(restart_on) as restart_on
    from said
    group by security_key
{% else %}
    select
        security_key,
        {{ beginning() }} as restart_on
    from {{ source('reference', 'securities') }}
    where false
{% endif %}
