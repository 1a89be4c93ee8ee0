with counting as (
    {{ rows_that_count('corporate_action', ['ticker', 'ex_date', 'action']) }}
)

select
    ticker as security_key,
    ex_date,
    action,
    value,
    unit,
    source_url
from counting
