{#
    Whether this build goes on from what stands in the build database (see
    orchestration.transform.going_on): then `reference.changed` lists the batches it has not seen.
#}
{% macro goes_on() -%}
    {{ return(target.type == 'duckdb' and env_var('WAREHOUSE_GOES_ON', 'no') == 'yes') }}
{%- endmacro %}

{# How a big fact is kept: added to where the build goes on, else built whole. #}
{% macro kept_as() -%}
    {{ return('incremental' if target.type == 'duckdb' else 'table') }}
{%- endmacro %}

{# A day before every session: the restart of a security of which all may differ. #}
{% macro beginning() -%}
    date '1900-01-01'
{%- endmacro %}

{#
    The first session that may differ of any security, as a literal: by it a scan leaves out what lies
    before, which it does not by a join to the restarts. A build from nothing starts at the beginning.
#}
{% macro first_restart(restarts) -%}
    {%- if execute and goes_on() -%}
        {%- set found = run_query('select min(restart_on) from ' ~ ref(restarts)) -%}
        date '{{ found.rows[0][0] or '9999-12-31' }}'
    {%- else -%}
        {{ beginning() }}
    {%- endif -%}
{%- endmacro %}

{#
    Makes a model wait for others that it reads only where the build goes on: dbt sees at parsing what
    a model depends on, when no build has begun.
#}
{% macro waits_for(models) -%}
    {% if not execute %}{% for model in models %}{% set _ = ref(model) %}{% endfor %}{% endif %}
{%- endmacro %}
