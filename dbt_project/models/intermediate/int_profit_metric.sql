-- The profit that a structure prints; the company's own adjusted measure comes first.
select
    company_key,
    structure,
    case
        when count(*) filter (where metric = 'adjusted_ebita') > 0 then 'adjusted_ebita'
        when count(*) filter (where metric = 'operating_income') > 0 then 'operating_income'
    end as profit_metric
from {{ ref('fct_segment_result') }}
group by all
