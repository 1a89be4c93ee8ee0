{# A figure and its printed unit as an exact decimal in millions. #}
{% macro in_millions(value, unit) -%}
    cast(
        {{ value }} * case {{ unit }}
            when 'one' then 0.000001
            when 'thousand' then 0.001
            when 'million' then 1.0
            when 'billion' then 1000.0
        end as decimal(24, 6)
    )
{%- endmacro %}

{# A flow in US dollars at the average rate of its period, in units of the currency per dollar. #}
{% macro in_usd(value, currency, units_per_usd) -%}
{%- set in_dollars -%}
    case
        when {{ currency }} = 'USD' then {{ value }}::double
        else {{ value }}::double / nullif({{ units_per_usd }}, 0)
    end
{%- endset -%}
    {{ to_decimal(in_dollars, 24, 6) }}
{%- endmacro %}

{# Growth in percent over a base; no growth rate has meaning over a base of zero or below. #}
{% macro growth_percent(value, base) -%}
    case when {{ base }} > 0 then 100.0 * ({{ value }} - {{ base }})::double / {{ base }}::double end
{%- endmacro %}

{# One figure as a percentage of another. #}
{% macro percent_of(part, whole) -%}
    case when {{ whole }} > 0 then 100.0 * ({{ part }})::double / ({{ whole }})::double end
{%- endmacro %}
