{#-
Incremental strategy "ledger": make a part of the table equal to what the model selected, touching only what differs.

A model says in its config
  unique_key   the columns of the table's key
  replaces     the part it selected anew: a list of columns (every row whose values occur in the selection), or
               {touched: kind, by: expression over `held`} (every row whose key of that kind was touched)
  touches      {kind: expression over a row} written to staging.touched_keys for the old and the new image of each row
               that was added, changed or removed

Rows whose content is the same keep their build_id, unless a build that died wrote them: nobody has looked at those.
delete+insert would rewrite, and re-gate, every row; merge never removes one.
-#}
{% macro get_incremental_ledger_sql(arg_dict) %}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temp = arg_dict["temp_relation"] -%}
    {%- set keys = arg_dict["unique_key"] -%}
    {%- set replaces = config.require("replaces") -%}
    {%- set touches = config.get("touches", {}) -%}
    {%- set build = build_state() -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="name") | list -%}
    {%- set content = columns | reject("in", keys + ["build_id"]) | list -%}
    {%- set is_same_key -%}
        {%- for key in keys %}fresh.{{ key }} = held.{{ key }}{{ " and " if not loop.last }}{% endfor -%}
    {%- endset -%}
    {%- set differs -%}
        (
            ({% for name in content %}held.{{ name }}{{ ", " if not loop.last }}{% endfor %})
            is distinct from
            ({% for name in content %}fresh.{{ name }}{{ ", " if not loop.last }}{% endfor %})
            or held.build_id > {{ build.since }}
        )
    {%- endset -%}
    {%- set in_part -%}
        {%- if build.is_full or build.is_marts_full and model.schema == "marts" -%}
            true
        {%- elif replaces is mapping -%}
            {{ replaces.by }} in ({{ touched(replaces.touched, build.since) }})
        {%- else -%}
            ({% for name in replaces %}held.{{ name }}{{ ", " if not loop.last }}{% endfor %}) in (
                select {% for name in replaces %}part.{{ name }}{{ ", " if not loop.last }}{% endfor %} from {{ temp }} as part
            )
        {%- endif -%}
    {%- endset %}

    analyze {{ temp }};

    {%- if touches and not build.is_full %}
    insert into staging.touched_keys (build_id, kind, key)
    select distinct {{ build.build_id }}, image.kind, image.key
    from (
        select row_image.kind, row_image.key
        from {{ target }} as held
        left join {{ temp }} as fresh on {{ is_same_key }}
        cross join lateral (
            values {% for kind, expression in touches.items() %}('{{ kind }}', {{ expression.replace("row.", "held.") }}){{ ", " if not loop.last }}{% endfor %}
        ) as row_image (kind, key)
        where {{ in_part }} and (fresh.{{ keys[0] }} is null or {{ differs }})
        union all
        select row_image.kind, row_image.key
        from {{ temp }} as fresh
        left join {{ target }} as held on {{ is_same_key }}
        cross join lateral (
            values {% for kind, expression in touches.items() %}('{{ kind }}', {{ expression.replace("row.", "fresh.") }}){{ ", " if not loop.last }}{% endfor %}
        ) as row_image (kind, key)
        where held.{{ keys[0] }} is null or {{ differs }}
    ) as image
    where image.key is not null;
    {%- endif %}

    delete from {{ target }} as held
    where
        {{ in_part }}
        and not exists (select 1 from {{ temp }} as fresh where {{ is_same_key }});

    insert into {{ target }} ({{ columns | join(", ") }})
    select {% for name in columns %}fresh.{{ name }}{{ ", " if not loop.last }}{% endfor %}
    from {{ temp }} as fresh
    left join {{ target }} as held on {{ is_same_key }}
    where held.{{ keys[0] }} is null or {{ differs }}
    on conflict ({{ keys | join(", ") }}) do update set
        {% for name in content + ["build_id"] %}{{ name }} = excluded.{{ name }}{{ ", " if not loop.last }}{% endfor %}
{% endmacro %}
