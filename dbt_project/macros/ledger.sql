{#-
Incremental strategy "ledger": make a part of the table equal to what the model selected, touching only what differs.

The part is what the model's `meta` says it is recomputed by (macros/changed_keys.sql): every row whose key of that kind
was touched, or, for what was landed, every row whose values occur in the selection. `unique_key` of its config is the
key of the table.

Rows whose content is the same keep their build_id, unless a build that died wrote them: nobody has looked at those.
delete+insert would rewrite, and re-gate, every row; merge never removes one.
-#}
{% macro get_incremental_ledger_sql(arg_dict) %}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temp = arg_dict["temp_relation"] -%}
    {%- set keys = config.require("unique_key") -%}
    {%- set part = model.config.meta.recomputed_by -%}
    {%- set touches = model.config.meta.touches or {} -%}
    {%- set build = build_state() -%}
    {%- set columns = model.columns.keys() | list -%}
    {%- set content = columns | reject("in", keys + ["build_id"]) | list -%}
    {%- set is_same_key -%}
        {%- for key in keys %}fresh.{{ key }} = held.{{ key }}{{ " and " if not loop.last }}{% endfor -%}
    {%- endset -%}
    {%- set in_part -%}
        {%- if recomputes_all() -%}
            true
        {%- elif part.kind == "landed" -%}
            ({{ part.key | join(", ") | replace("row.", "held.") }}) in (
                select {{ part.key | join(", ") | replace("row.", "part.") }} from {{ temp }} as part
            )
        {%- else -%}
            {{ key_of(part.key, "held") }} in ({{ touched(part.kind, build.since) }})
        {%- endif -%}
    {%- endset %}

    {%- set is_gone -%}
        {{ in_part }} and not exists (select 1 from {{ temp }} as fresh where {{ is_same_key }})
    {%- endset -%}
    {%- set is_written -%}
        (
            held.{{ keys[0] }} is null
            or ({% for name in content %}held.{{ name }}{{ ", " if not loop.last }}{% endfor %})
            is distinct from
            ({% for name in content %}fresh.{{ name }}{{ ", " if not loop.last }}{% endfor %})
            or held.build_id > {{ build.since }}
        )
    {%- endset -%}
    {%- set write -%}
        insert into {{ target }} ({{ columns | join(", ") }})
        select {% for name in columns %}fresh.{{ name }}{{ ", " if not loop.last }}{% endfor %}
    {%- endset %}

    analyze {{ temp }};

    {%- if touches and not build.is_full %}
    {%- set changes = temp.identifier ~ "_changes" %}
    -- Compared once: what differs is written, and tells what else to look at.
    create temporary table "{{ changes }}" on commit drop as
    select
        {% for name in keys %}fresh.{{ name }}, {% endfor -%}
        false as is_gone
        {%- for kind, expression in touches.items() %},
        {{ key_of(expression, "held") }} as before_{{ kind }},
        {{ key_of(expression, "fresh") }} as after_{{ kind }}
        {%- endfor %}
    from {{ temp }} as fresh
    left join {{ target }} as held on {{ is_same_key }}
    where {{ is_written }}
    union all
    select
        {% for name in keys %}held.{{ name }}, {% endfor -%}
        true as is_gone
        {%- for kind, expression in touches.items() %},
        {{ key_of(expression, "held") }} as before_{{ kind }},
        null as after_{{ kind }}
        {%- endfor %}
    from {{ target }} as held
    where {{ is_gone }};

    analyze "{{ changes }}";

    insert into staging.touched_keys (build_id, kind, key)
    select distinct {{ build.build_id }}, image.kind, image.key
    from "{{ changes }}" as changes
    cross join lateral (
        values
        {%- for kind in touches %}
        ('{{ kind }}', changes.before_{{ kind }}),
        ('{{ kind }}', changes.after_{{ kind }}){{ "," if not loop.last }}
        {%- endfor %}
    ) as image (kind, key)
    where image.key is not null;

    delete from {{ target }} as held
    using "{{ changes }}" as fresh
    where fresh.is_gone and {{ is_same_key }};

    {{ write }}
    from "{{ changes }}" as held
    inner join {{ temp }} as fresh on {{ is_same_key }}
    where not held.is_gone
    {%- else %}
    delete from {{ target }} as held
    where {{ is_gone }};

    {{ write }}
    from {{ temp }} as fresh
    left join {{ target }} as held on {{ is_same_key }}
    where {{ is_written }}
    {%- endif %}
    on conflict ({{ keys | join(", ") }}) do update set
        {% for name in content + ["build_id"] %}{{ name }} = excluded.{{ name }}{{ ", " if not loop.last }}{% endfor %}
{% endmacro %}
