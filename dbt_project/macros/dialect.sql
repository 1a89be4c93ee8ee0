{#
    What DuckDB and Spark SQL spell differently. A model that needs one of these calls the macro and
    never the engine's own function; arguments are SQL expressions, given as strings.
#}

{# Whole days from one date to another: 1 from a day to the next. #}
{% macro days_between(start, end) -%}
    {{ return(adapter.dispatch('days_between')(start, end)) }}
{%- endmacro %}

{% macro duckdb__days_between(start, end) -%}
    date_diff('day', {{ start }}, {{ end }})
{%- endmacro %}

{% macro spark__days_between(start, end) -%}
    datediff({{ end }}, {{ start }})
{%- endmacro %}


{# A date so many days later; a negative count is earlier. #}
{% macro add_days(date, days) -%}
    {{ return(adapter.dispatch('add_days')(date, days)) }}
{%- endmacro %}

{% macro duckdb__add_days(date, days) -%}
    cast({{ date }} + to_days(cast({{ days }} as integer)) as date)
{%- endmacro %}

{% macro spark__add_days(date, days) -%}
    date_add({{ date }}, cast({{ days }} as int))
{%- endmacro %}


{# The same day of the month so many months later, or the last day of a shorter month. #}
{% macro add_months(date, months) -%}
    {{ return(adapter.dispatch('add_months')(date, months)) }}
{%- endmacro %}

{% macro duckdb__add_months(date, months) -%}
    cast({{ date }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro spark__add_months(date, months) -%}
    add_months({{ date }}, cast({{ months }} as int))
{%- endmacro %}


{# Day of the week by ISO: 1 is Monday, 7 is Sunday. #}
{% macro iso_weekday(date) -%}
    {{ return(adapter.dispatch('iso_weekday')(date)) }}
{%- endmacro %}

{% macro duckdb__iso_weekday(date) -%}
    isodow({{ date }})
{%- endmacro %}

{% macro spark__iso_weekday(date) -%}
    (weekday({{ date }}) + 1)
{%- endmacro %}


{# Aggregate: the texts of a group in one text, in the order of another expression. #}
{% macro joined_list(text, order_by, separator="', '") -%}
    {{ return(adapter.dispatch('joined_list')(text, order_by, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_list(text, order_by, separator) -%}
    string_agg({{ text }}, {{ separator }} order by {{ order_by }})
{%- endmacro %}

{% macro spark__joined_list(text, order_by, separator) -%}
    listagg({{ text }}, {{ separator }}) within group (order by {{ order_by }})
{%- endmacro %}


{# Aggregate: the product of the numbers of a group, multiplied in the order of another expression. #}
{% macro product(number, order_by) -%}
    {{ return(adapter.dispatch('product')(number, order_by)) }}
{%- endmacro %}

{% macro duckdb__product(number, order_by) -%}
    product({{ number }} order by {{ order_by }})
{%- endmacro %}

{% macro spark__product(number, order_by) -%}
    aggregate(
        array_sort(collect_list(struct({{ order_by }} as position, {{ number }} as factor))),
        1.0d,
        (result, item) -> result * item.factor
    )
{%- endmacro %}
