{#-
Whether the table that this model is about to replace holds these columns, so that decisions can be carried over.

A table whose model has become another is dropped and made anew, but only after the new one is filled. What it decided
before must not be decided again for that: a correction that a person rejected would be proposed once more.
-#}
{% macro remembers(columns) %}
    {%- if is_incremental() -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- if not execute or not flags.FULL_REFRESH -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set earlier = load_relation(this) -%}
    {%- if earlier is none or not earlier.is_table -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set held = adapter.get_columns_in_relation(earlier) | map(attribute="name") | list -%}
    {{- return(columns | reject("in", held) | list | length == 0) -}}
{% endmacro %}
