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
        array_sort(
            collect_list(struct({{ order_by }} as position, {{ number }} as factor))
                filter (where ({{ number }}) is not null)
        ),
        cast(null as double),
        (result, item) -> coalesce(result, 1.0d) * item.factor
    )
{%- endmacro %}


{# A float as a decimal: the nearest one, of two as near the one further from zero. #}
{% macro to_decimal(number, precision, scale) -%}
    {{ return(adapter.dispatch('to_decimal')(number, precision, scale)) }}
{%- endmacro %}

{% macro duckdb__to_decimal(number, precision, scale) -%}
    cast({{ number }} as decimal({{ precision }}, {{ scale }}))
{%- endmacro %}

{# Spark's own cast rounds the shortest text of the float. A float of too many digits is an error. #}
{% macro spark__to_decimal(number, precision, scale) -%}
    cast(
        cast(cast(round(({{ number }}) * 1e{{ scale }}d) as bigint) as decimal(19, 0))
        * 0.{{ '0' * (scale - 1) }}1 as decimal({{ precision }}, {{ scale }})
    )
{%- endmacro %}


{# A float as text, rounded to so many digits after the point; a trailing zero is not written. #}
{% macro rounded_text(number, digits) -%}
    {{ return(adapter.dispatch('rounded_text')(number, digits)) }}
{%- endmacro %}

{% macro duckdb__rounded_text(number, digits) -%}
    round({{ number }}, {{ digits }})::string
{%- endmacro %}

{#
    Spark's own `round` rounds the shortest text of the float, and floats of seven digits and more, or
    below a thousandth, are written with an exponent.
#}
{% macro spark__rounded_text(number, digits) -%}
    {%- set rounded = 'round((' ~ number ~ ') * 1e' ~ digits ~ 'd) / 1e' ~ digits ~ 'd' -%}
    case
        -- Rounding to zero loses the sign.
        when {{ rounded }} = 0 and cast(({{ number }}) as string) like '-%' then '-0.0'
        when {{ rounded }} = 0 or abs({{ rounded }}) between 0.001 and 999999
            then cast({{ rounded }} as string)
        else
            regexp_replace(
                cast(cast({{ rounded }} as decimal(30, {{ digits }})) as string),
                '([.][0-9]+?)0+$',
                '$1'
            )
    end
{%- endmacro %}
