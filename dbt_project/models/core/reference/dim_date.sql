select
    calendar_date,
    year(calendar_date)::int as calendar_year,
    year(calendar_date)::string || '-Q' || quarter(calendar_date)::string as calendar_quarter,
    date_trunc('month', calendar_date)::date as month_start,
    last_day(calendar_date) as month_end,
    ({{ iso_weekday('calendar_date') }})::int as iso_weekday,
    is_xnys_session,
    is_xhkg_session
from {{ source('reference', 'calendar_dates') }}
