{#-
Where a system sells an item: null is everywhere, else {"only": [places]} or {"except": [places]} in that system's ids.
-#}

{#- Whether an item of this scope is sold at the place. -#}
{% macro is_sold_at(scope, location) -%}
    case
        when {{ scope }} is null then true
        when {{ scope }} ? 'only' then {{ scope }} -> 'only' ? {{ location }}
        else not {{ scope }} -> 'except' ? {{ location }}
    end
{%- endmacro %}

{#- Square: an object is at all locations but some, or at some. -#}
{% macro square_location_scope(content) -%}
    case
        when not ({{ content }} ->> 'present_at_all_locations')::boolean
            then jsonb_build_object(
                'only',
                case jsonb_typeof({{ content }} -> 'present_at_location_ids')
                    when 'array' then {{ content }} -> 'present_at_location_ids'
                    else '[]'::jsonb
                end
            )
        when jsonb_typeof({{ content }} -> 'absent_at_location_ids') = 'array'
            then jsonb_build_object('except', {{ content }} -> 'absent_at_location_ids')
    end
{%- endmacro %}
