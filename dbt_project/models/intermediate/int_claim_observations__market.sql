with subject as (
    select
        securities.security_key,
        securities.security_type
    from {{ ref('dim_security') }} as securities
    inner join {{ ref('dim_company') }} as companies
        on securities.company_key = companies.company_key and companies.peer_group = 'subject'
),

prices as (
    select
        performance.*,
        subject.security_type,
        {{ row_reference(
            'marts.security_performance', ['security_key', 'session_date'], 'performance.'
        ) }} as evidence
    from {{ ref('security_performance') }} as performance
    inner join subject on performance.security_key = subject.security_key
),

against as (
    {% for name, key in benchmarks().items() -%}
        select
            '{{ name }}' as benchmark,
            '{{ key }}' as benchmark_key,
            later.security_type,
            later.security_key,
            later.session_date,
            later.trough_date,
            later.observation_frequency,
            later.return_since_trough_percent,
            100 * (
                (1 + later.return_since_trough_percent / 100)
                * trough.relative_to_{{ name }}
                / nullif(later.relative_to_{{ name }}, 0)
                - 1
            ) as benchmark_return_percent,
            later.evidence || '|' || trough.evidence as evidence,
            {{ each_once(['later.source_url', 'trough.source_url']) }} as source_urls
        from prices as later
        left join prices as trough
            on
                later.security_key = trough.security_key
                and later.trough_date = trough.session_date
                and later.relative_to_{{ name }}_since = trough.relative_to_{{ name }}_since
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

since_trough as (
    select
        against.security_type || '_return_since_trough_minus_' || against.benchmark as metric,
        against.session_date as observed_on,
        against.trough_date::string || ' to ' || against.session_date::string as observed_period,
        against.return_since_trough_percent - against.benchmark_return_percent as observed_value,
        'percentage points' as unit,
        'a price of ' || against.security_key || ' or ' || against.benchmark_key || ' at the trough'
        || ' or since' as missing,
        against.evidence,
        against.source_urls,
        against.security_key || ' ' || {{ rounded_text('against.return_since_trough_percent', 2) }}
        || ' percent, ' || against.benchmark_key || ' '
        || {{ rounded_text('against.benchmark_return_percent', 2) }} || ' percent'
        || case
            when benchmarks.security_type = 'index' then ' without its dividends'
            else ''
        end
        || case
            when against.observation_frequency = 'month_end' then '; trough among month-ends'
            else ''
        end as note
    from against
    inner join {{ ref('dim_security') }} as benchmarks
        on against.benchmark_key = benchmarks.security_key
),

levels as (
    select
        prices.*,
        'drawdown' as series,
        total_return_index as index_level,
        index_base_date as comparable_since
    from prices
    where total_return_index is not null
    union all
    select
        prices.*,
        'price_drawdown' as series,
        price_return_index as index_level,
        null::date as comparable_since
    from prices
    where price_return_index is not null
),

newest as (
    select * from levels
    qualify row_number() over (
        partition by security_key, series
        order by session_date desc
    ) = 1
),

-- The highest close of each year, with and without dividends.
yearly_peaks as (
    select
        *,
        year(session_date) as peak_year
    from levels
    qualify row_number() over (
        partition by security_key, series, comparable_since, year(session_date)
        order by index_level desc, session_date asc
    ) = 1
),

drawdowns as (
    select
        newest.security_type || '_' || newest.series || '_from_' || peaks.peak_year::string
        || '_peak' as metric,
        newest.session_date as observed_on,
        peaks.session_date::string || ' to ' || newest.session_date::string as observed_period,
        100 * (newest.index_level / nullif(peaks.index_level, 0) - 1) as observed_value,
        'percent' as unit,
        null::string as missing,
        newest.evidence || '|' || peaks.evidence as evidence,
        {{ each_once(['newest.source_url', 'peaks.source_url']) }} as source_urls,
        newest.security_key
        || case newest.series
            when 'drawdown' then ' with dividends reinvested'
            else ' without dividends'
        end
        || case
            when newest.observation_frequency = 'month_end' then ', month-ends'
            else ''
        end as note
    from newest
    inner join yearly_peaks as peaks
        on
            newest.security_key = peaks.security_key
            and newest.series = peaks.series
            and (
                newest.comparable_since = peaks.comparable_since
                or (newest.comparable_since is null and peaks.comparable_since is null)
            )
            and year(newest.session_date) > peaks.peak_year
)

select * from since_trough
union all
select * from drawdowns
