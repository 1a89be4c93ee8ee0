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
