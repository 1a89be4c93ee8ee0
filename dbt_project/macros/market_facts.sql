{# The securities that every other one is set against, by the name their columns carry. #}
{% macro benchmarks() -%}
    {{ return({'kweb': 'KWEB', 'spy': 'SPY', 'hsi': '^HSI'}) }}
{%- endmacro %}
