{#-
Whose order a copy is: what it says; else, of the systems in `names` that have an order of its name, the only one. Of
none, and it is the system's own; of several, and it is one of theirs (null), so it must not be held a second time.
-#}
{% macro owner_of_copy(lines, names) -%}
case
            when {{ lines }}.hinted_system_id is not null then {{ lines }}.hinted_system_id
            when {{ lines }}.origin_order_name is null or {{ names }}.system_count is null then {{ lines }}.system_id
            when {{ names }}.system_count = 1 then {{ names }}.system_id
        end
{%- endmacro %}
