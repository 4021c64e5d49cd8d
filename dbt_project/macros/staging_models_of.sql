{#-
The staging models that bring a kind of record, one a connector: its name, and the stream whose records it reads.

A connector is added by its staging models and a line here (README.md says what each must give). Constant, so that dbt
knows at parse time which models the intermediate ones read.
-#}
{% macro staging_models_of(kind) %}
    {%- set connectors = {
        "locations": ["netsuite", "shipbob", "shopify", "square", "tryton", "vendure"],
        "products": ["netsuite", "shipbob", "shopify", "square", "tryton", "vendure"],
        "stock_levels": ["netsuite", "shipbob", "square", "tryton"],
        "stock_movements": ["netsuite", "shipbob", "square", "tryton"],
        "orders": ["netsuite", "shipbob", "shopify", "square", "tryton", "vendure"],
        "listings": ["shopify", "square", "vendure"],
    } -%}
    {#- What a till counts at the place of the online listing is what the listing shows. -#}
    {%- set streams = {"square__listings": "stock_levels"} -%}
    {%- set models = [] -%}
    {%- for connector in connectors[kind] -%}
        {%- do models.append({
            "name": "stg_" ~ connector ~ "__" ~ kind,
            "connector": connector,
            "stream": streams.get(connector ~ "__" ~ kind, kind),
        }) -%}
    {%- endfor -%}
    {{- return(models) -}}
{% endmacro %}

{#- Which records of these models' streams this build reads, one entry a system. -#}
{% macro scopes_of(models) %}
    {%- set scopes = [] -%}
    {%- for model in models -%}
        {%- for scope in build_scopes(model.stream) -%}
            {%- if scope.system_id in var("systems").get(model.connector, []) -%}
                {%- do scopes.append(scope) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(scopes) -}}
{% endmacro %}
