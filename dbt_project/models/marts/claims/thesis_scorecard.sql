with claims as (
    select * from {{ ref('dim_claim') }}
),

-- Observations from the newest one that has a value back, gaps among them.
placed as (
    select
        *,
        max(case when observed_value is not null then observed_on end) over (
            partition by metric, unit
        ) as newest_on
    from {{ ref('int_claim_observations') }}
),

measured as (
    select
        *,
        row_number() over (partition by metric, unit order by observed_on desc) as age
    from placed
    where observed_on <= newest_on
),

-- Observations that a claim is judged by: the newest of its metric and the newest of its beside.
judged as (
    select
        claims.claim_id,
        claims.metric <> measured.metric as is_second,
        row_number() over (
            partition by claims.claim_id
            order by
                case when claims.metric = measured.metric then 0 else 1 end,
                measured.observed_on desc
        ) as place,
        measured.evidence,
        measured.source_urls,
        case claims.rule
            when 'at_least' then measured.observed_value >= claims.threshold
            when 'at_most' then measured.observed_value <= claims.threshold
            when 'equals' then measured.observed_value = claims.threshold
        end as meets_rule
    from claims
    inner join measured
        on
            claims.unit = measured.unit
            and measured.observed_value is not null
            and (
                (claims.metric = measured.metric and claims.observations >= measured.age)
                or (claims.second_metric = measured.metric and measured.age = 1)
            )
),

counted as (
    select
        claim_id,
        count(*) as judged_count,
        count(*) filter (where meets_rule) as met_count,
        count(*) filter (where not is_second) as of_metric_count,
        count(*) filter (where meets_rule and not is_second) as of_metric_met_count,
        {{ joined_list('evidence', 'place', "'|'") }} as evidence,
        {{ joined_list('source_urls', 'place', "'|'") }} as source_urls
    from judged
    group by claim_id
),

-- What is missing after the newest observation, or altogether.
unmeasured as (
    select
        gaps.metric,
        gaps.unit,
        gaps.observed_on,
        gaps.missing
    from {{ ref('int_claim_observations') }} as gaps
    where gaps.observed_value is null and gaps.missing is not null
    qualify row_number() over (
        partition by gaps.metric, gaps.unit order by gaps.observed_on desc
    ) = 1
),

units as (
    select
        metric,
        min(unit) as unit
    from {{ ref('int_claim_observations') }}
    group by metric
)

select
    claims.claim_id,
    claims.statement,
    claims.metric,
    claims.rule,
    claims.threshold,
    claims.unit,
    claims.period,
    newest.observed_value,
    newest.observed_period,
    case
        when newest.observed_value is null then 'not_measurable'
        when counted.met_count = counted.judged_count then 'supported'
        when counted.met_count = 0 then 'contradicted'
        else 'mixed'
    end as verdict,
    case
        when newest.observed_value is null and units.unit <> claims.unit
            then
                claims.if_missing || ' (measured in ' || units.unit || ', claimed in '
                || claims.unit || ')'
        when newest.observed_value is null
            then claims.if_missing || coalesce(' (' || unmeasured.missing || ')', '')
    end as missing,
    {{ each_once(['counted.evidence']) }} as evidence,
    {{ each_once(['counted.source_urls']) }} as source_urls,
    case
        when newest.observed_value is not null
            then
                nullif(
                    concat_ws(
                        '. ',
                        newest.note,
                        case
                            when claims.observations > 1
                                then
                                    'Of the last ' || claims.observations::string
                                    || ' observations ' || counted.of_metric_count::string
                                    || ' are on record and ' || counted.of_metric_met_count::string
                                    || ' meet the rule'
                        end,
                        claims.second_metric || ': '
                        || {{ rounded_text('beside.observed_value', 2) }}
                        || ' (' || beside.observed_period || ')',
                        case
                            when unmeasured.observed_on > newest.observed_on
                                then 'Missing since: ' || unmeasured.missing
                        end
                    ),
                    ''
                )
    end as note
from claims
left join measured as newest
    on claims.metric = newest.metric and claims.unit = newest.unit and newest.age = 1
left join measured as beside
    on
        claims.second_metric = beside.metric
        and claims.unit = beside.unit
        and beside.age = 1
        and newest.metric is not null
left join counted on claims.claim_id = counted.claim_id
left join unmeasured on claims.metric = unmeasured.metric and claims.unit = unmeasured.unit
left join units on claims.metric = units.metric
