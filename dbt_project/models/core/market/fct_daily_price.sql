{{ config(
    materialized=kept_as(),
    unique_key=['security_key', 'session_date'],
    on_schema_change='fail',
    meta={'in_slices': true},
) }}
{{ waits_for(['price_restarts', 'security_slices']) }}
{% set raw_columns = [
    'security_key', 'session_date', 'open', 'high', 'low', 'close', 'adj_close', 'volume', 'currency',
    'observation_frequency', 'split_basis', 'source_url',
] %}
{#  A session is looked for among the days before it: no exchange of ours was ever closed longer. #}
{% set longest_closure_days = 31 %}
{% set first_to_do = first_restart('price_restarts') %}

with
{% if goes_on() %}
    restarts as (
        select * from {{ ref('price_restarts') }}
    ),

    changed as (
        select batch_id from {{ source('reference', 'changed') }}
        where dataset = 'daily_price'
    ),

    newly_said as (
        select landed.*
        from {{ source('landing', 'daily_price') }} as landed
        inner join changed on landed.batch_id = changed.batch_id
    ),

    -- Of a key that stands in the table other batches have spoken too.
    said_before as (
        select distinct
            newly_said.ticker,
            newly_said.session_date
        from newly_said
        inner join {{ this }} as kept
            on
                newly_said.ticker = kept.security_key
                and newly_said.session_date = kept.session_date
        where kept.session_date >= {{ first_to_do }}
    ),

    said as (
        select * from newly_said
        union all
        select landed.*
        from {{ source('landing', 'daily_price') }} as landed
        inner join said_before
            on
                landed.ticker = said_before.ticker
                and landed.session_date = said_before.session_date
        where
            landed.session_date >= {{ first_to_do }}
            and landed.batch_id not in (select changed.batch_id from changed)
    ),

    counting as (
        {{ rows_that_count(
            'daily_price',
            ['ticker', 'session_date'],
            prefer="landed.observation_frequency = 'daily'",
            among='said'
        ) }}
    ),

    kept as (
        select
            kept.*,
            restarts.restart_on
        from {{ this }} as kept
        inner join restarts
            on
                kept.security_key = restarts.security_key
                and kept.session_date
                >= {{ add_days('restarts.restart_on', -longest_closure_days) }}
        where kept.session_date >= {{ add_days(first_to_do, -longest_closure_days) }}
    ),

    prices as (
        select
            counting.ticker as security_key,
            {% for column in raw_columns[1:] -%}
                counting.{{ column }},
            {% endfor -%}
            true as is_to_do
        from counting
        union all
        select
            {% for column in raw_columns -%}
                kept.{{ column }},
            {% endfor -%}
            kept.session_date >= kept.restart_on as is_to_do
        from kept
        left join counting
            on kept.security_key = counting.ticker and kept.session_date = counting.session_date
        where counting.ticker is null
    ),
{% else %}
    prices as (
        select
            *,
            true as is_to_do
        from {{ ref('stg_landing__daily_price') }}
        where {{ in_slice('security_key') }}
    ),
{% endif %}

splits as (
    select
        security_key,
        ex_date,
        value as shares_per_old_share
    from {{ ref('stg_landing__corporate_action') }}
    where action = 'split'
),

bases as (
    select distinct
        security_key,
        split_basis
    from prices
    where split_basis is not null
),

later_splits as (
    select
        bases.security_key,
        bases.split_basis,
        {{ product('splits.shares_per_old_share', 'splits.ex_date') }} as split_factor
    from bases
    inner join splits
        on bases.security_key = splits.security_key and bases.split_basis < splits.ex_date
    group by bases.security_key, bases.split_basis
),

calendars as (
    select
        'XNYS' as calendar,
        calendar_date
    from {{ source('reference', 'calendar_dates') }}
    where is_xnys_session
    union all
    select
        'XHKG' as calendar,
        calendar_date
    from {{ source('reference', 'calendar_dates') }}
    where is_xhkg_session
),

sessions as (
    select
        exchanges.exchange_mic,
        calendars.calendar_date as session_date,
        lag(calendars.calendar_date) over (
            partition by exchanges.exchange_mic
            order by calendars.calendar_date
        ) as session_before
    from {{ source('reference', 'exchanges') }} as exchanges
    inner join calendars on exchanges.calendar = calendars.calendar
),

comparable as (
    select
        prices.*,
        coalesce(later_splits.split_factor, 1.0::double) as split_factor,
        prices.close / coalesce(later_splits.split_factor, 1.0::double) as comparable_close
    from prices
    left join later_splits
        on
            prices.security_key = later_splits.security_key
            and prices.split_basis = later_splits.split_basis
),

with_row_before as (
    select
        *,
        lag(session_date) over daily_rows as date_before,
        lag(comparable_close) over daily_rows as comparable_close_before,
        case
            when split_basis = lag(split_basis) over daily_rows
                then lag(adj_close) over daily_rows
        end as adj_close_before
    from comparable
    window daily_rows as (
        partition by security_key, observation_frequency
        order by session_date
    )
)

select
    with_row_before.security_key,
    with_row_before.session_date,
    with_row_before.open,
    with_row_before.high,
    with_row_before.low,
    with_row_before.close,
    with_row_before.adj_close,
    with_row_before.volume,
    with_row_before.currency,
    with_row_before.observation_frequency,
    with_row_before.split_basis,
    with_row_before.split_factor,
    with_row_before.source_url,
    case
        when
            with_row_before.observation_frequency = 'daily'
            and with_row_before.date_before = sessions.session_before
            then
                coalesce(
                    with_row_before.comparable_close
                    / nullif(with_row_before.comparable_close_before, 0),
                    with_row_before.adj_close / nullif(with_row_before.adj_close_before, 0)
                ) - 1
    end as daily_return
from with_row_before
left join {{ ref('dim_security') }} as securities
    on with_row_before.security_key = securities.security_key
left join sessions
    on
        securities.exchange_mic = sessions.exchange_mic
        and with_row_before.session_date = sessions.session_date
where with_row_before.is_to_do
