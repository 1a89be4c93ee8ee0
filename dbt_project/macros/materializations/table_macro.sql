{#
    A query with parameters, read like a table: `select * from core.segment_result_as_of(date '...')`.
    The model names its parameters in the config `parameters` and its relations without a database,
    so that the macro still resolves after its schema is copied into another file.

    Spark has no counterpart that survives a session catalog; there the model is skipped.
#}
{% materialization table_macro, adapter='duckdb' %}
    {%- set parameters = config.require('parameters') -%}
    {%- set name = this.include(database=false) -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        create or replace macro {{ name }}({{ parameters | join(', ') }}) as table (
            {{ sql }}
        )
    {%- endcall %}
    {% call statement('comment') -%}
        comment on macro table {{ name }} is '{{ model.description | replace("'", "''") }}'
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}

    {{ return({'relations': []}) }}
{% endmaterialization %}

{% materialization table_macro, adapter='spark' %}
    {% call noop_statement('main', 'SKIPPED') %}{% endcall %}
    {{ return({'relations': []}) }}
{% endmaterialization %}
