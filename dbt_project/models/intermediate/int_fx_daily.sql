with rates as (
    select
        rate_date,
        quote as currency,
        rate as units_per_eur
    from {{ ref('stg_landing__fx_rate') }}
    where base = 'EUR'
),

dollars as (
    select
        rate_date,
        units_per_eur as usd_per_eur
    from rates
    where currency = 'USD'
),

with_the_euro as (
    select
        rate_date,
        currency,
        units_per_eur
    from rates
    union all
    select
        rate_date,
        'EUR' as currency,
        1.0::double as units_per_eur
    from dollars
)

select
    with_the_euro.rate_date,
    with_the_euro.currency,
    with_the_euro.units_per_eur / nullif(dollars.usd_per_eur, 0) as units_per_usd
from with_the_euro
inner join dollars on with_the_euro.rate_date = dollars.rate_date
