{#
    Whether a note of a recast says that the total itself changed: then it need not be the original
    one. Any other note ("printed as a dash") explains nothing.
#}
{% macro says_total_changed(note) -%}
    (
        lower({{ note }}) like '%total%restated%'
        or lower({{ note }}) like '%restated%total%'
        or lower({{ note }}) like '%discontinued operation%'
        or lower({{ note }}) like '%change in accounting%'
    )
{%- endmacro %}
