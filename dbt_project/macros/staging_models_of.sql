{#-
The staging models of a stream, one a connector. A connector is added by its staging models and its name here.

Constant, so that dbt knows at parse time which models the intermediate ones read.
-#}
{% macro staging_models_of(stream) %}
    {%- set connectors = {
        "products": ["netsuite", "shopify"],
        "stock_levels": ["netsuite"],
        "stock_movements": ["netsuite"],
        "orders": ["netsuite", "shopify"],
        "listings": ["shopify"],
    } -%}
    {%- set models = [] -%}
    {%- for connector in connectors[stream] -%}
        {%- do models.append("stg_" ~ connector ~ "__" ~ stream) -%}
    {%- endfor -%}
    {{- return(models) -}}
{% endmacro %}
