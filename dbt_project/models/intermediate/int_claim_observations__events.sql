-- Abnormal returns need daily prices.
select
    events.category || '_abnormal_return' as metric,
    max(events.event_date) as observed_on,
    count(*)::string || ' events' as observed_period,
    null::double as observed_value,
    'percent' as unit,
    'daily prices around ' || count(*)::string || ' events' as missing,
    null::string as evidence,
    null::string as source_urls,
    null::string as note
from {{ ref('fct_event') }} as events
where events.date_precision = 'day'
group by events.category
