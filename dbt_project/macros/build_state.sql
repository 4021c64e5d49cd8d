{#-
What this build is: its id, the last successful one, whether it recomputes everything.

Given by trueup.transform.build, and written into the SQL as literals: the planner knows nothing of a subselect's value
and would read whole tables. Without a build (documentation, tests) it is a full one of nothing.
-#}
{% macro build_state() %}
    {%- set state = {"build_id": 0, "since": 0, "is_full": true, "is_marts_full": true} -%}
    {%- if execute -%}
        {%- do state.update(fromjson(dbt_metadata_envs.get("TRUEUP_BUILD", "{}")).get("state", {})) -%}
    {%- endif -%}
    {{- return(state) -}}
{% endmacro %}

{#- Which records of a stream this build reads, one entry a system. -#}
{% macro build_scopes(stream) %}
    {%- set scopes = [] -%}
    {%- if execute -%}
        {%- for scope in fromjson(dbt_metadata_envs.get("TRUEUP_BUILD", "{}")).get("scopes", []) -%}
            {%- if scope.stream == stream -%}
                {%- do scopes.append(scope) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(scopes) -}}
{% endmacro %}

{#- The predicate that picks the scope's records: all up to `to`, or only those after `from`. -#}
{% macro in_scope(scopes, is_full) -%}
    {%- if not scopes -%}
        false
    {%- else -%}
        (
        {%- for scope in scopes %}
            (system_id = '{{ scope.system_id }}' and record_id > {{ 0 if is_full else scope.from }}
                and record_id <= {{ scope.to }})
            {{- " or" if not loop.last }}
        {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{#- system_id, swept_as_of, swept_at as rows, to join to. -#}
{% macro sweeps(scopes) -%}
    select
        swept.system_id,
        swept.swept_as_of,
        swept.swept_at
    from (
        values
            (null::text, null::timestamptz, null::timestamptz)
            {%- for scope in scopes if scope.swept_as_of and scope.swept_at %},
            ('{{ scope.system_id }}', '{{ scope.swept_as_of }}'::timestamptz, '{{ scope.swept_at }}'::timestamptz)
            {%- endfor %}
    ) as swept (system_id, swept_as_of, swept_at)
    where swept.system_id is not null
{%- endmacro %}

{#- Whether this build makes every row of the model anew: rules are read by what is for sale and what follows from it. -#}
{% macro recomputes_all() %}
    {%- set build = build_state() -%}
    {{- return(build.is_full or (build.is_marts_full and model.schema in ["marts", "reconciliation"])) -}}
{% endmacro %}

{#- Whether this model makes only those rows anew that something has changed of. -#}
{% macro is_part() %}
    {{- return(is_incremental() and not recomputes_all()) -}}
{% endmacro %}
