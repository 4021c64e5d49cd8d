{#-
What this build is: its id, the last successful one, whether it recomputes everything.

Read when the model is compiled, so that the SQL carries literals: the planner knows nothing of a subselect's value
and would read whole tables.
-#}
{% macro build_state() %}
    {%- set state = {"build_id": 0, "since": 0, "is_full": true, "is_marts_full": true} -%}
    {%- if execute -%}
        {%- set rows = run_query(
            "select build_id, since_build_id, is_full, is_marts_full from staging.build_state"
        ).rows -%}
        {%- for row in rows -%}
            {%- do state.update(
                {"build_id": row[0] | int, "since": row[1] | int, "is_full": row[2], "is_marts_full": row[3]}
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(state) -}}
{% endmacro %}

{#- Which records of a stream this build reads, one entry a system. -#}
{% macro build_scopes(stream) %}
    {%- set scopes = [] -%}
    {%- if execute -%}
        {%- set rows = run_query(
            "select system_id, from_record_id, to_record_id, swept_as_of::text, swept_at::text,"
            ~ " swept_as_of is distinct from from_swept_as_of, exists (select from staging.set_aside where"
            ~ " set_aside.system_id = build_scope.system_id and set_aside.stream = build_scope.stream)"
            ~ " from staging.build_scope where stream = '" ~ stream ~ "' order by system_id"
        ).rows -%}
        {%- for row in rows -%}
            {%- do scopes.append({
                "system_id": row[0], "from": row[1] | int, "to": row[2] | int,
                "swept_as_of": row[3], "swept_at": row[4], "is_newly_swept": row[5],
                "stream": stream, "has_set_aside": row[6],
            }) -%}
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

{#- Whether there are any: asked when the model is compiled, for what is rare and costs a look at whole tables. -#}
{% macro has_touched(kind, since) %}
    {%- if not execute -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(run_query("select exists (" ~ touched(kind, since) ~ ")").rows[0][0]) -}}
{% endmacro %}

{#- Keys of a kind that this build, or one that died after the last success, has changed. -#}
{% macro touched(kind, since) -%}
    select distinct touched_keys.key
    from staging.touched_keys
    where touched_keys.kind = '{{ kind }}' and touched_keys.build_id > {{ since }}
{%- endmacro %}
