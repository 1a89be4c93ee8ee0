{{ config(materialized='table', tags=['every_build']) }}
{{ waits_for(['dim_security', 'fct_company_result']) }}

{% if goes_on() %}
    -- Whatever is new of a company may differ in all rows of its securities.
    with companies as (
        {% for dataset in ['kpi', 'document', 'company_result', 'segment_result'] -%}
            select landed.company_key
            from {{ source('landing', dataset) }} as landed
            inner join {{ source('reference', 'changed') }} as changed
                on changed.dataset = '{{ dataset }}' and landed.batch_id = changed.batch_id
            union
        {% endfor -%}
        select securities.company_key
        from {{ source('landing', 'corporate_action') }} as actions
        inner join {{ source('reference', 'changed') }} as changed
            on changed.dataset = 'corporate_action' and actions.batch_id = changed.batch_id
        inner join {{ ref('dim_security') }} as securities
            on actions.ticker = securities.security_key
        where actions.action = 'split'
    ),

    rates as (
        select min(landed.rate_date) as restart_on
        from {{ source('landing', 'fx_rate') }} as landed
        inner join {{ source('reference', 'changed') }} as changed
            on changed.dataset = 'fx_rate' and landed.batch_id = changed.batch_id
    ),

    -- A rate counts from its day on, and in revenue of a period that it falls into.
    converted as (
        select restart_on from rates
        union all
        select results.reported_on as restart_on
        from {{ ref('fct_company_result') }} as results
        inner join rates on results.period_end >= rates.restart_on
        where results.metric = 'revenue'
    ),

    first_converted as (
        select min(restart_on) as restart_on from converted
    ),

    restarts as (
        select
            security_key,
            restart_on
        from {{ ref('price_restarts') }}
        union all
        select
            securities.security_key,
            {{ beginning() }} as restart_on
        from {{ ref('dim_security') }} as securities
        inner join companies on securities.company_key = companies.company_key
        union all
        select
            securities.security_key,
            first_converted.restart_on
        from {{ ref('dim_security') }} as securities
        inner join first_converted on first_converted.restart_on is not null
    )

    select
        security_key,
        min(restart_on) as restart_on
    from restarts
    group by security_key
{% else %}
    select
        security_key,
        restart_on
    from {{ ref('price_restarts') }}
{% endif %}
