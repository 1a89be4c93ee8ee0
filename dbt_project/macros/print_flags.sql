{#
    How prints of one figure are put in order, and what follows from it: the basis of each print and
    the flags that choose one of several. The same lines serve `fct_segment_result`, which knows all
    prints, and `segment_result_as_of`, which knows those of a day.

    `ordered_on` is the day a document appeared (`reported_on`) or, where that is unknown, the end of
    its own period: no document appears earlier. `document_rank` orders documents of one day and quality
    (see orchestration.contracts.precedence).
#}

{# The first print first; on one day the better document: official, then of the higher rank. #}
{% macro oldest_print_first() -%}
    ordered_on,
    case source_quality when 'official' then 0 else 1 end,
    coalesce(document_rank, -1) desc,
    document_id
{%- endmacro %}

{#
    The newest print first; on one day the better document: official, then of the higher rank. `prints`
    is the prefix of the columns, such as 'results.'.
#}
{% macro newest_print_first(prints='') -%}
    {{ prints }}ordered_on desc,
    case {{ prints }}source_quality when 'official' then 0 else 1 end,
    coalesce({{ prints }}document_rank, -1) desc,
    {{ prints }}document_id desc
{%- endmacro %}

{#
    What a print is: `as_reported`, `derived`, `comparative` or `recast`. Expects the print before it
    as `earlier_value_millions` and `earlier_step_millions`. `moved` is a condition that makes every
    prior-year column a recast.
#}
{% macro basis_of_print(moved='false') -%}
    case
        when column_role = 'current' then 'as_reported'
        when column_role = 'derived' then 'derived'
        when {{ moved }} then 'recast'
        when earlier_value_millions is null then 'comparative'
        when
            2 * abs(value_millions - earlier_value_millions)
            <= greatest(coalesce(printed_step_millions, 0), coalesce(earlier_step_millions, 0))
            then 'comparative'
        else 'recast'
    end
{%- endmacro %}

{#
    All columns of `fct_segment_result` from the relation `prints`, which has one row per print with
    `structure_first_reported` and `ordered_on` beside the figure.
#}
{% macro segment_prints_with_flags(prints) %}
{%- set one_figure = 'segment_key, metric, period_start, period_end' %}
{%- set one_period = 'company_key, breakdown, period_start, period_end' %}
select
    segment_key,
    metric,
    period_start,
    period_end,
    document_id,
    company_key,
    structure,
    breakdown,
    segment_label,
    label_printed,
    period_type,
    value_millions,
    printed_step_millions,
    currency,
    column_role,
    {{ basis_of_print(moved='structure <> reporting_structure') }} as basis,
    reported_on,
    ordered_on,
    source_quality,
    document_rank,
    print_number = 1 and column_role in ('current', 'derived') as is_original,
    print_number_from_newest = 1 as is_latest,
    structure = reporting_structure as is_reporting_structure,
    structure = newest_structure as is_newest_structure,
    print_number,
    locator,
    note,
    source_url
from (
    select
        prints.*,
        row_number() over (
            partition by {{ one_figure }} order by {{ oldest_print_first() }}
        )::int as print_number,
        row_number() over (
            partition by {{ one_figure }} order by {{ newest_print_first() }}
        ) as print_number_from_newest,
        lag(value_millions) over (
            partition by {{ one_figure }} order by {{ oldest_print_first() }}
        ) as earlier_value_millions,
        lag(printed_step_millions) over (
            partition by {{ one_figure }} order by {{ oldest_print_first() }}
        ) as earlier_step_millions,
        first_value(structure) over (
            partition by {{ one_period }}
            order by
                {{ oldest_print_first() }},
                case column_role when 'prior_year' then 1 else 0 end,
                structure_first_reported,
                structure
        ) as reporting_structure,
        first_value(structure) over (
            partition by {{ one_period }} order by structure_first_reported desc, structure
        ) as newest_structure
    from {{ prints }} as prints
) as placed
{% endmacro %}

{# The parameter of `segment_result_as_of`; a unit test puts a date in its place. #}
{% macro as_of_date() -%}
    as_of_date
{%- endmacro %}
