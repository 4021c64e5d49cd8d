{#-
What a change reaches, made from what the models declare in their `meta`.

A key is a text of a kind, such as order_name '#1001', or stock_item 'netsuite|1001' (parts are joined by a bar). Every
table says in its `meta`, in expressions over `row`, a row of a table (a list is a key of two parts):

  recomputed_by  {kind, key}: rows whose key of this kind was touched are made anew; kind `landed` is made anew for the
                 records of this build's scope, by the values of the key's columns
  touches        {kind: key}: written to staging.touched_keys for the old and the new image of each row that changed
  reached        how kinds of keys lead to the model's own, each
                   from, to   kinds; `swept` are the systems that a sweep of stock levels has just confirmed, `build` is
                              every build
                   through    the model, or source.table, whose rows have both keys (this: the model's own table so far;
                              none: the key stays what it is), at: its key of the kind `from`, key: of the kind `to`
                   where      which of these rows; beside, on: another relation and how it is joined to them, which
                              may have no such row where `is_optional`
                   because    what it is for, where that is not plain
  evidence       models that are read for rows which every build makes anew

dbt knows the models of paths only where the model's own text names them: by reading them, or by a comment `depends_on`.
A test holds the graph closed: tests/transform/test_dbt_graph.py.
-#}

{#- Write to staging.touched_keys what else is reached, just before the model recomputes it and in its transaction. -#}
{% macro expand_changed_keys() %}
    {%- set build = build_state() -%}
    {%- set meta = model.config.meta -%}
    {%- set own = meta.recomputed_by.kind -%}
    {%- set swept = build_scopes("stock_levels") | selectattr("is_newly_swept") | map(attribute="system_id") | list -%}
    {%- set paths = [] -%}
    {%- for path in meta.reached or [] if swept or path["from"] != "swept" -%}
        {%- do paths.append(path) -%}
    {%- endfor -%}
    {%- set steps = paths | map(attribute="to") | reject("equalto", own) | unique | list -%}
    {%- if paths -%}
    -- Before: what was touched a moment ago is in no statistics yet. After: for the same reason.
    {{ analyze_touched_keys() }}

    insert into staging.touched_keys (build_id, kind, key)
    {%- for step in steps %}
    {{ "with " if loop.first }}reached_{{ step }} as (
        {{- keys_of_paths(paths, step, steps, swept, build.since) }}
    ){{ "," if not loop.last }}
    {%- endfor %}
    select distinct
        {{ build.build_id }},
        '{{ own }}',
        found.key
    from (
        {{- keys_of_paths(paths, own, steps, swept, build.since) }}
    ) as found
    where found.key is not null;

    {{ analyze_touched_keys() }}
    {%- endif -%}
{% endmacro %}

{#- Whether anything is made anew of a model that only makes part of its rows anew; to know it, what is reached is written. -#}
{% macro is_reached() %}
    {%- set part = model.config.meta.recomputed_by -%}
    {%- if build_state().is_full or not execute -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set is_certain = recomputes_all() or part.kind == "landed" -%}
    {%- call statement("reached", fetch_result=true) -%}
        {{ expand_changed_keys() }}
        select {{ "true" if is_certain else "exists (" ~ touched(part.kind, build_state().since) ~ ")" }}
    {%- endcall -%}
    {{- return(load_result("reached").table.rows[0][0]) -}}
{% endmacro %}

{#-
Only where there are many: an analysis locks the table against any other until its transaction ends, so models that could
be made at the same time would wait for each other (docs/decisions/0042). Of few keys the size of the file says enough.
-#}
{% macro analyze_touched_keys() -%}
    do $$ begin
        if pg_relation_size('staging.touched_keys') > 262144 then
            analyze staging.touched_keys;
        end if;
    end $$;
{%- endmacro %}

{#- The keys of one kind that the paths lead to. A path of a kind of which nothing was touched reads no table. -#}
{% macro keys_of_paths(paths, to, steps, swept, since) %}
    {%- for path in paths if path.to == to %}
        {{ "union all" if not loop.first }}
        select {{ key_of(path.key, "linked") if path.through else "changed.key" }} as key
        {%- if path["from"] == "build" %}
        from {{ this }} as linked
        {%- else %}
        from (
            {%- if path["from"] == "swept" %}
            values ('{{ swept | join("'), ('") }}')
            {%- elif path["from"] in steps %}
            select distinct reached_{{ path["from"] }}.key from reached_{{ path["from"] }}
            {%- else %}
            {{ touched(path["from"], since) }}
            {%- endif %}
        ) as changed (key)
        {%- endif %}
        {%- if path.through and path["from"] != "build" %}
        inner join {{ relation_of(path.through) }} as linked on {{ is_at(path.at, "changed.key") }}
        {%- endif %}
        {%- if path.beside %}
        {{ "left" if path.is_optional else "inner" }} join {{ relation_of(path.beside) }} as beside on {{ path.on.replace("row.", "linked.") }}
        {%- endif %}
        where
            {{ path.where.replace("row.", "linked.") if path.where else "true" }}
            {%- if path["from"] not in ["build", "swept"] + steps %}
            and exists ({{ touched(path["from"], since) }})
            {%- endif %}
    {%- endfor %}
{% endmacro %}

{#- A key as text, of a row that goes by this alias. -#}
{% macro key_of(key, alias) -%}
    {{ (key if key is string else key | join(" || '|' || ")).replace("row.", alias ~ ".") }}
{%- endmacro %}

{#- Whether the row has this key; of two parts it is taken apart, so that an index on the two columns is of use. -#}
{% macro is_at(at, key) -%}
    {%- if at is string -%}
        {{ at.replace("row.", "linked.") }} = {{ key }}
    {%- else -%}
        {{ at[0].replace("row.", "linked.") }} = split_part({{ key }}, '|', 1)
                and {{ at[1].replace("row.", "linked.") }} = substr({{ key }}, length(split_part({{ key }}, '|', 1)) + 2)
    {%- endif -%}
{%- endmacro %}

{#- The relation that a path names: a model, `source.table`, or this. -#}
{% macro relation_of(name) -%}
    {%- if name == "this" -%}
        {{ this }}
    {%- elif "." in name -%}
        {{ source(name.split(".")[0], name.split(".")[1]) }}
    {%- else -%}
        {{ ref(name) }}
    {%- endif -%}
{%- endmacro %}

{#- Keys of a kind that this build, or one that died after the last success, has changed. -#}
{% macro touched(kind, since) -%}
    select distinct touched_keys.key
    from staging.touched_keys
    where touched_keys.kind = '{{ kind }}' and touched_keys.build_id > {{ since }}
{%- endmacro %}
