{#-
What the table that this model is about to replace holds so far, as a query, so that decisions can be carried over:
`columns` by name, each with its type. No rows where there is no such table, or where it lacks one of the columns.

A table whose model has become another is dropped and made anew, but only after the new one is filled. What it decided
before must not be decided again for that: a correction that a person rejected would be proposed once more.
-#}
{% macro held_so_far(columns) %}
    {%- set earlier = namespace(is_held=is_incremental()) -%}
    {%- if not earlier.is_held and execute and flags.FULL_REFRESH -%}
        {%- set table = load_relation(this) -%}
        {%- if table is not none and table.is_table -%}
            {%- set held = adapter.get_columns_in_relation(table) | map(attribute="name") | list -%}
            {%- set earlier.is_held = columns | reject("in", held) | list | length == 0 -%}
        {%- endif -%}
    {%- endif -%}
    {%- if earlier.is_held %}
    select {{ columns | join(", ") }} from {{ this }}
    {%- else %}
    select
        {%- for name, type in columns.items() %}
        null::{{ type }} as {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    where false
    {%- endif %}
{%- endmacro %}
