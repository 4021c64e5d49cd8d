{#-
A view's rows of the keys that were touched, or all of them where everything is made anew.
-#}
{% macro part_of(relation, kind, column) -%}
    {%- if is_part() -%}
    {{ looked_up(relation, column, touched(kind, build_state().since)) }}
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#-
A view's rows of some keys: `keys` is a query of one column.

By a look-up for each key: PostgreSQL takes a value into a view that groups by it, but not a join. `offset 0` keeps the
look-up whole: pulled up into the query it would be a join again.
-#}
{% macro looked_up(relation, column, keys) -%}
    (
        select found.*
        from ({{ keys }}) as changed (key)
        cross join lateral (
            select whole.*
            from {{ relation }} as whole
            where whole.{{ column }} = changed.key
            offset 0
        ) as found
    )
{%- endmacro %}
