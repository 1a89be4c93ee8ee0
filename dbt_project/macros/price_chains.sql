{#
    The steps from prices to total and price returns, as CTEs: `<prefix>indexes` has a row per price
    row, with the chain it belongs to (by its first session, `chain_start`), the exact sum of
    logarithms since then and both indexes. `securities` is expected before it: `dim_security` with a
    number per security, which sorts and joins faster than its key.

    `prices` is a relation like fct_daily_price. It may begin with a resting place; `state` is then a
    relation with what was known there (see int_security_performance). A resting place is the last row
    of its quarter or of all, if no later row can change what it says: a row without adj_close after
    one that has it may yet come to stand beside the chain.

    Logarithms are summed as decimals: such a sum is the same in whatever order or however many
    steps, so a chain can be continued from where it was left.
#}
{% macro price_chains(prices, prefix='', state=none) %}
{{ prefix }}prices as (
    select
        securities.security_id,
        prices.session_date,
        prices.close,
        prices.adj_close,
        prices.close / prices.split_factor as comparable_close,
        prices.currency,
        prices.observation_frequency = 'month_end' as is_month_end,
        prices.split_basis,
        prices.split_factor,
        prices.source_url
    from {{ prices }} as prices
    inner join securities on prices.security_key = securities.security_key
),

{# Only where some rows have an adj_close and some have none can a row stand beside the chain. #}
{{ prefix }}gapped as (
    select security_id
    from {{ prefix }}prices
    group by security_id
    having count(adj_close) between 1 and count(*) - 1
),

{{ prefix }}between_adjusted as (
    select
        prices.security_id,
        prices.session_date,
        prices.adj_close,
        prices.split_basis,
        lag(prices.session_date) over by_date as date_before,
        lag(prices.comparable_close) over by_date as comparable_close_before,
        max(case when prices.adj_close is not null then prices.session_date end) over (
            partition by prices.security_id
            order by prices.session_date
            rows between unbounded preceding and current row
        ) as adjusted_before,
        min(case when prices.adj_close is not null then prices.session_date end) over (
            partition by prices.security_id
            order by prices.session_date
            rows between current row and unbounded following
        ) as adjusted_after
    from {{ prefix }}prices as prices
    inner join {{ prefix }}gapped as gapped on prices.security_id = gapped.security_id
    window by_date as (partition by prices.security_id order by prices.session_date)
),

{# A row without adj_close between two rows of one collection stands beside the chain: the adjusted
   closes are linked past it, and it hangs on the row before it. #}
{{ prefix }}beside as (
    select
        gaps.security_id,
        gaps.session_date,
        gaps.date_before,
        gaps.comparable_close_before,
        gaps.adjusted_before as hangs_on
    from {{ prefix }}between_adjusted as gaps
    inner join {{ prefix }}between_adjusted as earlier
        on gaps.security_id = earlier.security_id and gaps.adjusted_before = earlier.session_date
    inner join {{ prefix }}between_adjusted as later
        on gaps.security_id = later.security_id and gaps.adjusted_after = later.session_date
    where gaps.adj_close is null and earlier.split_basis = later.split_basis
),

{{ prefix }}links as (
    select
        prices.*,
        lag(prices.session_date) over by_date as date_before,
        lag(prices.comparable_close) over by_date as comparable_close_before,
        case
            when prices.split_basis = lag(prices.split_basis) over by_date
                then prices.adj_close / nullif(lag(prices.adj_close) over by_date, 0)
        end as adjusted_growth,
        cast(null as date) as hangs_on
    from {{ prefix }}prices as prices
    left join {{ prefix }}beside as beside
        on prices.security_id = beside.security_id and prices.session_date = beside.session_date
    where beside.security_id is null
    window by_date as (partition by prices.security_id order by prices.session_date)
    union all
    select
        prices.*,
        beside.date_before,
        beside.comparable_close_before,
        cast(null as double) as adjusted_growth,
        beside.hangs_on
    from {{ prefix }}prices as prices
    inner join {{ prefix }}beside as beside
        on prices.security_id = beside.security_id and prices.session_date = beside.session_date
),

{{ prefix }}paid as (
    select
        securities.security_id,
        actions.ex_date,
        actions.value,
        actions.unit,
        date_trunc('month', actions.ex_date)::date as ex_month
    from {{ ref('fct_corporate_action') }} as actions
    inner join securities on actions.ticker = securities.security_key
    where actions.action = 'dividend'
),

{{ prefix }}unadjusted as (
    select
        security_id,
        session_date,
        date_before,
        currency,
        date_trunc('month', session_date)::date as this_month,
        {{ add_months("date_trunc('month', session_date)::date", -1) }} as last_month
    from {{ prefix }}links
    where adjusted_growth is null and date_before is not null
),

{# Months are equal or not, which is found fast: of the row's own month, of the one before, and the
   few that lie further back. #}
{{ prefix }}dividends as (
    select
        rows_with_one.security_id,
        rows_with_one.session_date,
        paid.value,
        paid.unit <> rows_with_one.currency || ' per share' as is_in_another_currency
    from {{ prefix }}unadjusted as rows_with_one
    inner join {{ prefix }}paid as paid
        on
            rows_with_one.security_id = paid.security_id
            and rows_with_one.this_month = paid.ex_month
            and rows_with_one.date_before < paid.ex_date
            and rows_with_one.session_date >= paid.ex_date
    union all
    select
        rows_with_one.security_id,
        rows_with_one.session_date,
        paid.value,
        paid.unit <> rows_with_one.currency || ' per share' as is_in_another_currency
    from {{ prefix }}unadjusted as rows_with_one
    inner join {{ prefix }}paid as paid
        on
            rows_with_one.security_id = paid.security_id
            and rows_with_one.last_month = paid.ex_month
            and rows_with_one.date_before < paid.ex_date
    union all
    select
        rows_with_one.security_id,
        rows_with_one.session_date,
        paid.value,
        paid.unit <> rows_with_one.currency || ' per share' as is_in_another_currency
    from {{ prefix }}unadjusted as rows_with_one
    inner join {{ prefix }}paid as paid
        on
            rows_with_one.security_id = paid.security_id
            and rows_with_one.last_month > paid.ex_month
            and rows_with_one.date_before < paid.ex_date
    where rows_with_one.date_before < rows_with_one.last_month
),

{{ prefix }}went_ex as (
    select
        security_id,
        session_date,
        sum(value::decimal(18, 8))::double as per_share,
        count(*) filter (where is_in_another_currency) as in_another_currency
    from {{ prefix }}dividends
    group by security_id, session_date
),

{{ prefix }}candidates as (
    select
        links.*,
        securities.security_type,
        case
            when
                coalesce(went_ex.in_another_currency, 0) = 0
                and links.date_before
                >= coalesce(securities.dividends_recorded_after, links.date_before)
                then
                    (
                        links.comparable_close
                        + coalesce(went_ex.per_share, 0) / links.split_factor
                    )
                    / nullif(links.comparable_close_before, 0)
        end as close_growth
    from {{ prefix }}links as links
    inner join securities on links.security_id = securities.security_id
    left join {{ prefix }}went_ex as went_ex
        on links.security_id = went_ex.security_id and links.session_date = went_ex.session_date
),

{{ prefix }}growth as (
    select
        candidates.security_id,
        candidates.session_date,
        candidates.close,
        candidates.adj_close,
        candidates.comparable_close,
        candidates.currency,
        candidates.is_month_end,
        candidates.source_url,
        candidates.hangs_on,
        case
            when candidates.security_type <> 'index'
                then coalesce(candidates.adjusted_growth, candidates.close_growth)
        end as total_growth,
        candidates.adjusted_growth is not null as is_by_adjusted
        {%- if state %},
        states.chain_start as known_chain_start,
        states.log_on_chain as known_log
        {%- endif %}
    from {{ prefix }}candidates as candidates
    {%- if state %}
    left join {{ state }} as states
        on
            candidates.security_id = states.security_id
            and candidates.session_date = states.session_date
    {%- endif %}
),

{{ prefix }}summed as (
    select
        *,
        {%- if state %}
        sum(coalesce(known_log, coalesce(ln(total_growth), 0)::decimal(30, 18))) over (
        {%- else %}
        sum(coalesce(ln(total_growth), 0)::decimal(30, 18)) over (
        {%- endif %}
            partition by security_id
            order by session_date
            rows between unbounded preceding and current row
        ) as log_sum,
        max(
            case
                when total_growth is null
                    then {{ 'coalesce(known_chain_start, session_date)' if state else 'session_date' }}
            end
        ) over (
            partition by security_id
            order by session_date
            rows between unbounded preceding and current row
        ) as chain_start,
        lead(case when total_growth is null then 1 else 0 end) over (
            partition by security_id order by session_date
        ) as next_starts,
        lead(session_date) over (partition by security_id order by session_date) as next_session
    from {{ prefix }}growth
    where hangs_on is null
),

{{ prefix }}starts as (
    select
        security_id,
        chain_start,
        log_sum {%- if state %} - coalesce(known_log, 0) {%- endif %} as log_before
    from {{ prefix }}summed
    where total_growth is null
),

{{ prefix }}hung_on as (
    select distinct
        security_id,
        hangs_on
    from {{ prefix }}beside
),

{{ prefix }}chained as (
    select
        summed.*,
        (summed.log_sum - starts.log_before)::decimal(30, 18) as log_on_chain,
        (summed.adj_close is not null or gapped.security_id is null)
        and date_trunc('quarter', summed.session_date)::date
        < date_trunc('quarter', coalesce(summed.next_session, date '9999-12-31'))::date
            as is_resting_place,
        summed.total_growth is null
        and coalesce(summed.next_starts, 1) = 1
        and hung_on.security_id is null
        {%- if state %}
        and coalesce(summed.known_chain_start, summed.session_date) = summed.session_date
        {%- endif %} as is_alone
    from {{ prefix }}summed as summed
    inner join {{ prefix }}starts as starts
        on
            summed.security_id = starts.security_id
            and summed.chain_start = starts.chain_start
    left join {{ prefix }}gapped as gapped on summed.security_id = gapped.security_id
    left join {{ prefix }}hung_on as hung_on
        on summed.security_id = hung_on.security_id and summed.session_date = hung_on.hangs_on
),

{{ prefix }}hanging as (
    select
        *,
        sum(ln(total_growth)::decimal(30, 18)) over (
            partition by security_id, hangs_on
            order by session_date
            rows between unbounded preceding and current row
        ) as log_beside,
        max(case when total_growth is null then 1 else 0 end) over (
            partition by security_id, hangs_on
            order by session_date
            rows between unbounded preceding and current row
        ) as hangs_on_nothing
    from {{ prefix }}growth
    where hangs_on is not null
),

{{ prefix }}placed as (
    select
        security_id,
        session_date,
        close,
        adj_close,
        comparable_close,
        currency,
        is_month_end,
        source_url,
        chain_start,
        log_on_chain,
        case when not is_alone then log_on_chain end as log_growth,
        case
            when total_growth is null then 'start'
            when is_by_adjusted then 'adj_close'
            else 'close_and_dividends'
        end as return_basis,
        is_resting_place
    from {{ prefix }}chained
    union all
    select
        hanging.security_id,
        hanging.session_date,
        hanging.close,
        hanging.adj_close,
        hanging.comparable_close,
        hanging.currency,
        hanging.is_month_end,
        hanging.source_url,
        chained.chain_start,
        cast(null as decimal(30, 18)) as log_on_chain,
        case
            when hanging.hangs_on_nothing = 0
                then (chained.log_on_chain + hanging.log_beside)::decimal(30, 18)
        end as log_growth,
        case when hanging.total_growth is null then 'start' else 'close_and_dividends' end
            as return_basis,
        false as is_resting_place
    from {{ prefix }}hanging as hanging
    inner join {{ prefix }}chained as chained
        on
            hanging.security_id = chained.security_id
            and hanging.hangs_on = chained.session_date
),

{{ prefix }}first_closes as (
    select
        security_id,
        min_by(first_close, first_close_on) as first_close,
        min(first_close_on) as first_close_on
    from (
        select
            security_id,
            min_by(comparable_close, session_date) as first_close,
            min(session_date) as first_close_on
        from {{ prefix }}prices
        where comparable_close is not null
        group by security_id
        {%- if state %}
        union all
        select
            security_id,
            first_close,
            date '0001-01-01' as first_close_on
        from {{ state }}
        where first_close is not null
        {%- endif %}
    ) as found
    group by security_id
),

{{ prefix }}indexes as (
    select
        placed.security_id,
        placed.session_date,
        placed.close,
        placed.adj_close,
        placed.currency,
        placed.is_month_end,
        placed.source_url,
        placed.chain_start,
        placed.log_on_chain,
        placed.return_basis,
        placed.is_resting_place,
        {#- What lies after a resting place may yet be corrected. #}
        case
            when placed.session_date >= first_closes.first_close_on then first_closes.first_close
        end as first_close,
        round(100 * exp(placed.log_growth::double), 8) as total_return_index,
        round(100 * placed.comparable_close / nullif(first_closes.first_close, 0), 8)
            as price_return_index
    from {{ prefix }}placed as placed
    left join {{ prefix }}first_closes as first_closes
        on placed.security_id = first_closes.security_id
)
{% endmacro %}
