with latest_vintage as (
    select *
    from {{ ref('fct_macro_observation') }}
    qualify row_number() over (
        partition by series_id, observation_date
        order by vintage_date desc
    ) = 1
),

months as (
    select
        *,
        date_trunc('month', observation_date)::date as month -- noqa: RF04
    from latest_vintage
    qualify row_number() over (
        partition by series_id, date_trunc('month', observation_date)
        order by observation_date desc
    ) = 1
),

levels as (
    select
        months.*,
        series.name,
        series.region,
        series.frequency,
        series.yoy_source,
        series.official_yoy_series,
        case series.frequency
            when 'annual' then date_trunc('year', months.observation_date)
            when 'quarterly' then date_trunc('quarter', months.observation_date)
            else date_trunc('month', months.observation_date)
        end::date as observed_period
    from months
    inner join {{ ref('dim_macro_series') }} as series on months.series_id = series.series_id
),

last_of_period as (
    select *
    from levels
    qualify row_number() over (
        partition by series_id, observed_period
        order by observation_date desc
    ) = 1
)

select
    levels.series_id,
    levels.month,
    levels.name,
    levels.region,
    levels.frequency,
    levels.value,
    levels.unit,
    levels.observation_date,
    levels.vintage_date,
    levels.yoy_source,
    levels.source_url,
    case levels.yoy_source
        when 'is a growth rate' then levels.value
        when 'official series' then official.value
        when 'computed' then 100 * (levels.value / nullif(year_before.value, 0) - 1)
    end as yoy_percent,
    case levels.yoy_source
        when 'official series' then official.series_id
        when 'none' then null
        else levels.series_id
    end as yoy_series_id
from levels
left join levels as official
    on
        levels.official_yoy_series = official.series_id
        and levels.month = official.month
        and official.yoy_source = 'is a growth rate'
left join last_of_period as year_before
    on
        levels.series_id = year_before.series_id
        and levels.unit = year_before.unit
        and year_before.observed_period = {{ add_months('levels.observed_period', -12) }}
