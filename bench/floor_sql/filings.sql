create table dim_document as
select * exclude (batch_id, source, ingested_at) from counting('document')
qualify row_number() over (
    partition by document_id order by source_rank desc, sequence desc
) = 1;

create table fct_kpi as
select * exclude (batch_id, source, ingested_at) from counting('kpi')
qualify row_number() over (
    partition by company_key, kpi, as_of, document_id order by source_rank desc, sequence desc
) = 1;

create table fct_company_result as
with counting as (
    select * exclude (batch_id, source, ingested_at) from counting('company_result')
    qualify row_number() over (
        partition by document_id, metric, period_start, period_end, currency
        order by source_rank desc, sequence desc
    ) = 1
)

select
    counting.*,
    documents.reported_on,
    row_number() over (
        partition by counting.company_key, metric, period_start, counting.period_end
        order by documents.reported_on desc
    ) = 1 as is_latest
from counting
inner join dim_document as documents using (document_id);

create table fct_segment_result as
with counting as (
    select * exclude (batch_id, source, ingested_at) from counting('segment_result')
    qualify row_number() over (
        partition by document_id, segment_key, metric, period_start, period_end, currency
        order by source_rank desc, sequence desc
    ) = 1
)

select
    counting.*,
    documents.reported_on,
    row_number() over (
        partition by segment_key, metric, period_start, counting.period_end
        order by documents.reported_on desc
    ) = 1 as is_latest
from counting
inner join dim_document as documents using (document_id);

create table segment_quarterly as
select
    results.*,
    results.value / nullif(totals.value, 0) as share_of_company,
    results.value / nullif(lag(results.value, 4) over of_segment, 0) - 1 as yoy,
    results.value / nullif(lag(results.value, 1) over of_segment, 0) - 1 as qoq,
    sum(results.value) over (
        partition by results.segment_key, results.metric
        order by results.period_end rows between 3 preceding and current row
    ) as trailing
from fct_segment_result as results
left join fct_company_result as totals
    on
        results.company_key = totals.company_key
        and results.metric = totals.metric
        and results.period_start = totals.period_start
        and results.period_end = totals.period_end
        and totals.is_latest
where results.is_latest
window of_segment as (
    partition by results.segment_key, results.metric order by results.period_end
);

create table reconciliation as
select
    results.document_id,
    results.structure,
    results.metric,
    results.period_end,
    sum(results.value) as segments,
    any_value(totals.value) as consolidated
from fct_segment_result as results
inner join fct_company_result as totals using (document_id, metric, period_start, period_end)
group by all;
