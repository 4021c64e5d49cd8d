{#- The line's schemas have fixed names: no prefix of the target's. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- custom_schema_name if custom_schema_name is not none else target.schema -}}
{%- endmacro %}
