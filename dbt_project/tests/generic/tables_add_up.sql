{# No complete table differs from its total by more than the precision of the prints allows. #}
{% test tables_add_up(model) %}
select *
from {{ model }}
where status = 'differs'
{% endtest %}
