{#-
The staging models that bring a kind of record, one a connector: its name, its connector, and the stream whose records it
reads. They are found in models/staging (trueup.transform.staging) and passed as a variable, so that dbt knows at parse time
which models the intermediate ones read.
-#}
{% macro staging_models_of(kind) %}
    {%- set found = var("staging_models") -%}
    {#- The linter has no variables: one model stands for all. -#}
    {{- return(found[kind] if found is mapping else [{"name": "stg_any__" ~ kind, "connector": "any", "stream": kind}]) -}}
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
