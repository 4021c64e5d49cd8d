{#-
A view's rows of the keys that were touched, or all of them where everything is made anew.

By a look-up for each key: PostgreSQL takes a value into a view that groups by it, but not a join. `offset 0` keeps the
look-up whole: pulled up into the query it would be a join again.
-#}
{% macro part_of(relation, kind, column) -%}
    {%- if is_part() -%}
    (
        select found.*
        from ({{ touched(kind, build_state().since) }}) as changed (key)
        cross join lateral (
            select whole.*
            from {{ relation }} as whole
            where whole.{{ column }} = changed.key
            offset 0
        ) as found
    )
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}
