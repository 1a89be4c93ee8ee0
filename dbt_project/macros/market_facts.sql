{# The securities that every other one is set against, by the name their columns carry. #}
{% macro benchmarks() -%}
    {{ return({'kweb': 'KWEB', 'spy': 'SPY', 'hsi': '^HSI'}) }}
{%- endmacro %}


{#
    Payers whose dividends are on record only after this session. A close before it says nothing
    about the total return; an adjusted close does. Alibaba's dividends are complete; Amazon, PDD
    and Baidu have paid none; Alphabet's first was in June 2024.
#}
{% macro dividends_recorded_after() -%}
    {{ return({'JD': '2024-02-29', 'MSFT': '2024-02-29', 'NVDA': '2024-02-29'}) }}
{%- endmacro %}
