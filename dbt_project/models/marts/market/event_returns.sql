{#
    Event study by the market model (MacKinlay 1997): the return of a security is regressed on that of
    its market over `estimation_sessions` sessions up to `gap_sessions` before the event; what it does
    beyond that in the days around the event is the abnormal return.

    Sums run over decimals, whose result does not depend on the order of the rows.
#}
{% set estimation_sessions = 120 %}
{% set gap_sessions = 10 %}
{% set minimum_sessions = 100 %}
{% set windows = [
    {'name': 'm1_to_p1', 'first': -1, 'last': 1},
    {'name': 'p0_to_p5', 'first': 0, 'last': 5},
    {'name': 'p0_to_p20', 'first': 0, 'last': 20},
] %}
{% set first_session = -(gap_sessions + estimation_sessions - 1) %}
{% set last_session = windows | map(attribute='last') | max %}
{% set exact = 'decimal(30, 18)' %}

with sessions as (
    select
        calendar,
        calendar_date as session_date,
        (row_number() over (partition by calendar order by calendar_date))::int as session_number
    from (
        select
            'XNYS' as calendar,
            calendar_date
        from {{ ref('dim_date') }}
        where is_xnys_session
        union all
        select
            'XHKG' as calendar,
            calendar_date
        from {{ ref('dim_date') }}
        where is_xhkg_session
    ) as open_days
),

companies_of_event as (
    -- An event that names no company is held against the subject.
    select
        events.event_id,
        events.event_date,
        events.date_precision,
        events.category,
        events.title,
        events.source_url,
        companies.company_key
    from {{ ref('fct_event') }} as events
    inner join {{ ref('dim_company') }} as companies
        on
            contains('|' || events.company_keys || '|', '|' || companies.company_key || '|')
            or (coalesce(events.company_keys, '') = '' and companies.peer_group = 'subject')
),

studies as (
    select
        events.*,
        securities.security_key,
        securities.calendar,
        securities.market_benchmark
    from companies_of_event as events
    inner join {{ ref('dim_security') }} as securities
        on events.company_key = securities.company_key
),

event_sessions as (
    select
        event_days.calendar,
        event_days.event_date,
        min(sessions.session_date) as event_session,
        min(sessions.session_number) as event_session_number
    from (
        select distinct
            calendar,
            event_date
        from studies
        where date_precision = 'day'
    ) as event_days
    inner join sessions
        on
            event_days.calendar = sessions.calendar
            and event_days.event_date <= sessions.session_date
    group by event_days.calendar, event_days.event_date
),

placed as (
    select
        studies.*,
        event_sessions.event_session,
        event_sessions.event_session_number
    from studies
    left join event_sessions
        on
            studies.calendar = event_sessions.calendar
            and studies.event_date = event_sessions.event_date
            and studies.date_precision = 'day'
),

-- Of ten thousand securities an event study asks for a few.
asked_for as (
    select security_key from studies
    union
    select market_benchmark as security_key from studies
),

prices as (
    select
        prices.security_key,
        prices.session_date,
        prices.adj_close,
        prices.split_basis,
        prices.daily_return,
        securities.calendar,
        sessions.session_number,
        lag(prices.adj_close) over of_security as adj_close_before,
        lag(prices.split_basis) over of_security as split_basis_before,
        lag(sessions.session_number) over of_security as session_number_before
    from {{ ref('fct_daily_price') }} as prices
    inner join asked_for on prices.security_key = asked_for.security_key
    inner join {{ ref('dim_security') }} as securities
        on prices.security_key = securities.security_key
    inner join sessions
        on securities.calendar = sessions.calendar and prices.session_date = sessions.session_date
    where prices.observation_frequency = 'daily'
    window of_security as (partition by prices.security_key order by prices.session_date)
),

returns as (
    select
        security_key,
        calendar,
        session_number,
        -- With dividends where the adjusted closes of one collection have them, else without.
        coalesce(
            case
                when split_basis = split_basis_before
                    then adj_close / nullif(adj_close_before, 0) - 1
            end,
            daily_return
        ) as session_return
    from prices
    where session_number_before = session_number - 1
),

around as (
    select
        placed.event_id,
        placed.security_key,
        own.session_number - placed.event_session_number as relative_session,
        own.session_return as own_return,
        market.session_return as market_return
    from placed
    inner join returns as own
        on
            placed.security_key = own.security_key
            and own.session_number >= placed.event_session_number + ({{ first_session }})
            and own.session_number <= placed.event_session_number + {{ last_session }}
    left join returns as market
        on
            placed.market_benchmark = market.security_key
            and own.calendar = market.calendar
            and own.session_number = market.session_number
    where own.session_return is not null
),

sums as (
    select
        event_id,
        security_key,
        count(*)::double as n,
        sum(market_return::{{ exact }})::double as sum_x,
        sum(own_return::{{ exact }})::double as sum_y,
        sum((market_return * market_return)::{{ exact }})::double as sum_xx,
        sum((market_return * own_return)::{{ exact }})::double as sum_xy,
        sum((own_return * own_return)::{{ exact }})::double as sum_yy
    from around
    where
        market_return is not null
        and relative_session >= {{ first_session }}
        and relative_session <= {{ -gap_sessions }}
    group by event_id, security_key
),

deviations as (
    select
        *,
        sum_x / n as mean_x,
        sum_y / n as mean_y,
        sum_xx - sum_x * sum_x / n as s_xx,
        sum_xy - sum_x * sum_y / n as s_xy,
        sum_yy - sum_y * sum_y / n as s_yy
    from sums
),

market_models as (
    select
        event_id,
        security_key,
        n,
        mean_x,
        s_xx,
        s_xy / s_xx as beta,
        mean_y - s_xy / s_xx * mean_x as alpha,
        greatest(s_yy - s_xy * s_xy / s_xx, 0) / (n - 2) as residual_variance,
        case when s_yy > 0 then s_xy * s_xy / (s_xx * s_yy) end as r_squared
    from deviations
    where n >= {{ minimum_sessions }} and s_xx > 0
),

observed as (
    select
        event_id,
        security_key,
        count(own_return) as own_sessions,
        count(market_return) as market_sessions,
        (
            count(market_return) filter (where relative_session <= {{ -gap_sessions }})
        )::int as estimation_sessions
    from around
    group by event_id, security_key
),

judged as (
    select
        placed.*,
        market_models.n,
        market_models.mean_x,
        market_models.s_xx,
        market_models.alpha,
        market_models.beta,
        market_models.r_squared,
        market_models.residual_variance,
        coalesce(observed.estimation_sessions, 0) as estimation_sessions,
        case
            when placed.date_precision <> 'day' then 'month_only_event'
            when placed.event_session is null then 'no_session_on_or_after'
            when observed.own_sessions is null then 'no_daily_prices'
            when observed.market_sessions = 0 then 'no_benchmark_prices'
            when observed.estimation_sessions < {{ minimum_sessions }}
                then 'estimation_window_too_short'
            when market_models.beta is null then 'benchmark_never_moved'
        end as reason
    from placed
    left join observed
        on placed.event_id = observed.event_id and placed.security_key = observed.security_key
    left join market_models
        on
            placed.event_id = market_models.event_id
            and placed.security_key = market_models.security_key
),

windows as (
    {% for window in windows -%}
        select
            '{{ window.name }}' as window_name,
            {{ window.first }} as first_session,
            {{ window.last }} as last_session
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

in_windows as (
    select
        around.event_id,
        around.security_key,
        windows.window_name,
        count(around.own_return) as own_sessions,
        count(around.market_return) as market_sessions,
        {{ product('1 + around.own_return', 'around.relative_session') }} - 1 as own_return,
        {{ product('1 + around.market_return', 'around.relative_session') }} - 1 as market_return,
        sum(around.own_return::{{ exact }})::double as sum_y,
        sum(around.market_return::{{ exact }})::double as sum_x
    from around
    inner join windows
        on
            around.relative_session >= windows.first_session
            and around.relative_session <= windows.last_session
    group by around.event_id, around.security_key, windows.window_name
),

studied as (
    select
        judged.event_id,
        judged.security_key,
        windows.window_name,
        case
            when in_windows.own_sessions = windows.last_session - windows.first_session + 1
                then in_windows.own_return
        end as own_return,
        case
            when in_windows.market_sessions = windows.last_session - windows.first_session + 1
                then in_windows.market_return
        end as market_return,
        case
            when in_windows.market_sessions = windows.last_session - windows.first_session + 1
                then
                    in_windows.sum_y
                    - judged.alpha * in_windows.market_sessions
                    - judged.beta * in_windows.sum_x
        end as abnormal_return,
        -- The noise of the sessions themselves, and that of alpha and beta carried over to them.
        case
            when in_windows.market_sessions = windows.last_session - windows.first_session + 1
                then
                    sqrt(
                        judged.residual_variance * (
                            in_windows.market_sessions
                            + power(in_windows.market_sessions, 2) / judged.n
                            + power(
                                in_windows.sum_x - in_windows.market_sessions * judged.mean_x, 2
                            )
                            / judged.s_xx
                        )
                    )
        end as standard_error,
        case
            when judged.reason is not null then judged.reason
            when
                coalesce(in_windows.own_sessions, 0)
                < windows.last_session - windows.first_session + 1
                then 'session_missing'
            when
                in_windows.market_sessions < windows.last_session - windows.first_session + 1
                then 'benchmark_session_missing'
        end as reason
    from judged
    cross join windows
    left join in_windows
        on
            judged.event_id = in_windows.event_id
            and judged.security_key = in_windows.security_key
            and windows.window_name = in_windows.window_name
),

measured as (
    select
        event_id,
        security_key,
        window_name,
        reason,
        round(100 * own_return, 8) as own_return,
        round(100 * market_return, 8) as market_return,
        round(100 * abnormal_return, 8) as abnormal_return,
        round(100 * standard_error, 8) as standard_error,
        case
            when round(100 * standard_error, 8) > 0
                then round(abnormal_return / standard_error, 6)
        end as t_statistic
    from studied
)

select
    judged.event_id,
    judged.security_key,
    judged.company_key,
    judged.event_date,
    judged.date_precision,
    judged.category,
    judged.title,
    judged.event_session,
    judged.market_benchmark,
    judged.estimation_sessions,
    round(100 * judged.alpha, 8) as alpha_percent_per_session,
    round(judged.beta, 8) as beta,
    round(judged.r_squared, 8) as r_squared,
    round(100 * sqrt(judged.residual_variance), 8) as residual_standard_deviation_percent,
    judged.reason,
    {% for window in windows -%}
        {{ window.name }}.own_return as return_{{ window.name }}_percent,
        {{ window.name }}.market_return as market_return_{{ window.name }}_percent,
        {{ window.name }}.abnormal_return as abnormal_return_{{ window.name }}_percent,
        {{ window.name }}.standard_error as standard_error_{{ window.name }}_percent,
        {{ window.name }}.t_statistic as t_statistic_{{ window.name }},
        {{ window.name }}.reason as reason_{{ window.name }},
    {% endfor -%}
    judged.source_url
from judged
{% for window in windows -%}
    left join measured as {{ window.name }}
        on
            judged.event_id = {{ window.name }}.event_id
            and judged.security_key = {{ window.name }}.security_key
            and {{ window.name }}.window_name = '{{ window.name }}'
{% endfor -%}
