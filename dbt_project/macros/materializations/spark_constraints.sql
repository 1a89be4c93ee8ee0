{#
    Parquet tables know no constraints. Keys and required columns are enforced when what Spark built
    is loaded into the database that is published (orchestration.transform.spark_build).
#}
{% macro spark__persist_constraints(relation, model) %}{% endmacro %}
