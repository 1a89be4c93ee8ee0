{#
    The key of a row as text, for others to find it by: `marts.alibaba_quarterly period_end=2026-06-30`.
    `prefix` is that of the columns, such as 'quarters.'.
#}
{% macro row_reference(table, keys, prefix='') -%}
    '{{ table }}'
    {%- for key in keys %} || ' {{ key }}=' || {{ prefix }}{{ key }}::string {%- endfor %}
{%- endmacro %}

{# The same for the segments of a sum: one row of `segment_quarterly` each, joined by `|`. #}
{% macro segment_references(segment_keys, period_end) -%}
    'marts.segment_quarterly segment_key=' || replace(
        {{ segment_keys }},
        ', ',
        ' period_end=' || {{ period_end }}::string || '|marts.segment_quarterly segment_key='
    ) || ' period_end=' || {{ period_end }}::string
{%- endmacro %}

{#
    Texts joined by `|`, in their order and each once; null where all are.
#}
{% macro each_once(texts) -%}
    {{ return(adapter.dispatch('each_once')(texts)) }}
{%- endmacro %}

{% macro duckdb__each_once(texts) -%}
    nullif(
        array_to_string(
            list_filter(
                string_split(concat_ws('|', {{ texts | join(', ') }}), '|'),
                lambda part, place: list_position(
                    string_split(concat_ws('|', {{ texts | join(', ') }}), '|'), part
                ) = place
            ),
            '|'
        ),
        ''
    )
{%- endmacro %}

{% macro spark__each_once(texts) -%}
    nullif(
        array_join(
            array_distinct(split(concat_ws('|', {{ texts | join(', ') }}), '[|]')), '|'
        ),
        ''
    )
{%- endmacro %}
