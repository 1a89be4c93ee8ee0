{#
    A fact whose windows never cross securities is built some securities at a time, so that they fit
    into memory however many there are: the model reads the securities that `in_slice` says, and is run
    once for each row of `security_slices`. Its config says so by `meta={'in_slices': true}`.
#}
{% macro in_slice(security_key) -%}
    {%- if target.type == 'duckdb' -%}
        {#- Outside a build in slices the variables are not set, and all securities are read. -#}
        {{ security_key }} between coalesce(getvariable('first_key'), {{ security_key }})
        and coalesce(getvariable('last_key'), {{ security_key }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# In dbt's place: the first slice makes the table, the others are added to it. #}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) -%}
    {%- set slices = [] -%}
    {%- if config.get('meta', {}).get('in_slices') and not goes_on() -%}
        {%- set slices = run_query('select * from ' ~ ref('security_slices')).rows -%}
    {%- endif -%}
    {%- for slice in slices[:1] %}{{ set_slice(slice) }}{% endfor -%}
    {{ dbt.duckdb__create_table_as(
        temporary, relation, compiled_code, language, partitioned_by, sorted_by
    ) }}
    {%- for slice in slices[1:] %}
        ;
        {{ set_slice(slice) }}
        insert into {{ relation }} by name {{ compiled_code }}
    {%- endfor -%}
    {%- if slices %}
        ;
        reset variable first_key;
        reset variable last_key
    {%- endif -%}
{%- endmacro %}

{% macro set_slice(slice) -%}
    set variable first_key = '{{ slice['first_key'] }}';
    set variable last_key = '{{ slice['last_key'] }}';
{%- endmacro %}
