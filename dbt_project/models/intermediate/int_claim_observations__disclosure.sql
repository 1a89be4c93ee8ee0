with subject as (
    select company_key
    from {{ ref('dim_company') }}
    where peer_group = 'subject'
),

-- Whatever a release states of itself can be claimed: a count by its indicator, an amount by its
-- metric.
stated_counts as (
    select
        kpis.kpi as metric,
        kpis.as_of as observed_on,
        kpis.as_of::string as observed_period,
        kpis.value::double as observed_value,
        kpis.unit,
        null::string as missing,
        {{ row_reference(
            'core.fct_kpi', ['company_key', 'kpi', 'as_of', 'document_id'], 'kpis.'
        ) }} as evidence,
        kpis.source_url as source_urls,
        'As stated' || coalesce(', ' || kpis.qualifier, '') as note
    from {{ ref('fct_kpi') }} as kpis
    inner join subject on kpis.company_key = subject.company_key
    where kpis.is_latest
),

stated_amounts as (
    select
        results.metric,
        results.period_end as observed_on,
        'quarter to ' || results.period_end::string as observed_period,
        results.value_millions::double as observed_value,
        results.currency || ' million' as unit,
        null::string as missing,
        {{ row_reference(
            'core.fct_company_result',
            ['company_key', 'metric', 'period_start', 'period_end', 'document_id'],
            'results.'
        ) }} as evidence,
        results.source_url as source_urls,
        'As stated' as note
    from {{ ref('fct_company_result') }} as results
    inner join subject on results.company_key = subject.company_key
    where results.is_latest and results.period_type = 'quarter'
),

-- The quarters that each structure stood in a current column for, and the first document that did.
current_prints as (
    select
        results.company_key,
        results.structure,
        results.document_id,
        results.period_end,
        row_number() over (
            partition by results.company_key, results.structure
            order by results.period_end, results.ordered_on, results.document_id
        ) as place
    from {{ ref('fct_segment_result') }} as results
    inner join subject on results.company_key = subject.company_key
    where
        results.breakdown = 'segment'
        and results.period_type = 'quarter'
        and results.column_role <> 'prior_year'
),

structures as (
    select
        prints.company_key,
        prints.structure,
        structures.name,
        min(prints.period_end) as first_period_end,
        max(prints.period_end) as last_period_end,
        max(prints.document_id) filter (where prints.place = 1) as first_document_id
    from current_prints as prints
    inner join {{ ref('dim_structure') }} as structures
        on
            prints.company_key = structures.company_key
            and prints.structure = structures.structure
    group by all
),

followed as (
    select
        *,
        lead(structure) over by_time as next_structure,
        lead(name) over by_time as next_name,
        lead(first_period_end) over by_time as next_period_end,
        lead(first_document_id) over by_time as next_document_id
    from structures
    window by_time as (partition by company_key order by first_period_end)
),

recast as (
    select
        followed.structure,
        count(results.segment_key) as recast_figures,
        count(distinct results.period_end) as recast_quarters,
        min(results.period_end) as first_recast,
        max(results.period_end) as last_recast
    from followed
    left join {{ ref('fct_segment_result') }} as results
        on
            followed.company_key = results.company_key
            and followed.next_structure = results.structure
            and followed.next_period_end > results.period_end
            and results.period_type = 'quarter'
            and results.basis = 'recast'
            and results.is_latest
    group by followed.structure
),

replaced as (
    select
        'structure_replaced_' || followed.structure as metric,
        coalesce(followed.next_period_end, followed.last_period_end) as observed_on,
        'quarter to '
        || coalesce(followed.next_period_end, followed.last_period_end)::string as observed_period,
        case when followed.next_structure is null then 0 else 1 end::double as observed_value,
        'count' as unit,
        null::string as missing,
        {{ row_reference('core.dim_structure', ['company_key', 'structure'], 'followed.') }}
        || coalesce(
            '|core.dim_structure company_key=' || followed.company_key || ' structure='
            || followed.next_structure || '|core.dim_document document_id='
            || followed.next_document_id,
            ''
        ) as evidence,
        documents.source_url as source_urls,
        coalesce(
            'Replaced by: ' || followed.next_name || '; first printed '
            || coalesce(documents.reported_on::string, 'on an unknown day') || '. Recast: '
            || recast.recast_figures::string || ' figures of '
            || recast.recast_quarters::string || ' quarters'
            || coalesce(
                ' from ' || recast.first_recast::string || ' to ' || recast.last_recast::string, ''
            ),
            'Still reported for the quarter to ' || followed.last_period_end::string
        ) as note
    from followed
    inner join recast on followed.structure = recast.structure
    left join {{ ref('dim_document') }} as documents
        on coalesce(followed.next_document_id, followed.first_document_id) = documents.document_id
),

backdrop as (
    select
        lower(series_id) || '_yoy' as metric,
        observation_date as observed_on,
        'month of ' || observation_date::string as observed_period,
        yoy_percent as observed_value,
        'percent' as unit,
        'growth for the month of ' || observation_date::string as missing,
        {{ row_reference('marts.macro_monthly', ['series_id', 'month']) }} as evidence,
        source_url as source_urls,
        name || ', growth by ' || yoy_source as note
    from {{ ref('macro_monthly') }}
    where yoy_source in ('computed', 'official series')
)

select * from stated_counts
union all
select * from stated_amounts
union all
select * from replaced
union all
select * from backdrop
