{#
    Growth over the same quarter a year before, like with like: from the two figures of the newest
    document that prints both, so that a recast comparative is used and a break in definition is not
    mistaken for growth; where no document prints both, from the newest print of each.

    `prints` holds quarters: `keys`, period_end, fiscal_quarter_index, value_millions, document_id,
    ordered_on, source_quality, document_rank, is_latest. Gives one row for each of `keys` and period_end that has
    a base: growth_percent (null over a base of zero or below), document_id, base_document_id.
    `alike`: further columns that the two figures must share, such as the set of segments added up.
    `alike_across`: columns that figures of two documents must share, such as the lines of the table.
#}
{% macro year_on_year(prints, keys, alike=[], alike_across=[]) %}
select
    {%- for key in keys %}
    this_year.{{ key }},
    {%- endfor %}
    this_year.period_end,
    {{ growth_percent('this_year.value_millions', 'year_before.value_millions') }} as growth_percent,
    this_year.document_id,
    year_before.document_id as base_document_id
from {{ prints }} as this_year
inner join {{ prints }} as year_before
    on
        {%- for key in keys + alike %}
        this_year.{{ key }} = year_before.{{ key }}
        and
        {%- endfor %} this_year.fiscal_quarter_index - 4 = year_before.fiscal_quarter_index
where
    this_year.document_id = year_before.document_id
    or (
        this_year.is_latest and year_before.is_latest
        {%- for column in alike_across %}
        and this_year.{{ column }} = year_before.{{ column }}
        {%- endfor %}
    )
qualify row_number() over (
    partition by
        {%- for key in keys %}
        this_year.{{ key }},
        {%- endfor %}
        this_year.period_end
    order by
        case when this_year.document_id = year_before.document_id then 0 else 1 end,
        {{ newest_print_first('this_year.') }}
) = 1
{% endmacro %}

{#
    Sum of a quarter and the three before it; null unless all four are there and follow one another.
    Expects `fiscal_quarter_index`, one row per quarter and `key`. `alike`: a column that all four must
    share, such as the set of segments added up.
#}
{% macro trailing_twelve_months(value, key, alike=none) -%}
{%- set year = 'partition by ' ~ key ~ ' order by fiscal_quarter_index rows between 3 preceding and current row' -%}
    case
        when
            count({{ value }}) over ({{ year }}) = 4
            and fiscal_quarter_index - 3 = min(fiscal_quarter_index) over ({{ year }})
            {%- if alike %}
            and min({{ alike }}) over ({{ year }}) = max({{ alike }}) over ({{ year }})
            {%- endif %}
            then (sum({{ value }}) over ({{ year }}))::decimal(24, 6)
    end
{%- endmacro %}
