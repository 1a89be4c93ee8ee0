{#
    A split that both the registry and an upstream know may be dated a few days apart: the registry
    says when it took effect, the upstream when prices followed.
#}
{% set same_split_days = 10 %}

with of_registry as (
    select
        company_key,
        effective_on,
        new_shares_per_old
    from {{ source('reference', 'share_splits') }}
),

of_listed_shares as (
    -- A split of an ADS may be a change of its ratio alone and says nothing of the shares.
    select
        securities.company_key,
        actions.ex_date as effective_on,
        max(actions.value) as new_shares_per_old
    from {{ ref('fct_corporate_action') }} as actions
    inner join {{ ref('dim_security') }} as securities
        on actions.ticker = securities.security_key
    where
        actions.action = 'split'
        and securities.company_key is not null
        and securities.security_type in ('common', 'ordinary')
    group by securities.company_key, actions.ex_date
)

select
    company_key,
    effective_on,
    new_shares_per_old
from of_registry
union all
select
    of_listed_shares.company_key,
    of_listed_shares.effective_on,
    of_listed_shares.new_shares_per_old
from of_listed_shares
left join of_registry
    on
        of_listed_shares.company_key = of_registry.company_key
        and abs({{ days_between('of_listed_shares.effective_on', 'of_registry.effective_on') }})
        <= {{ same_split_days }}
where of_registry.company_key is null
