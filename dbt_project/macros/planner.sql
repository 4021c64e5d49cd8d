{#-
All settings of PostgreSQL's planner, for the transaction of one model.

A model says in its `meta` when nested loops are wrong for it, as `hash_joins`:
  landed   much of the table was landed just now
  part     much of the table is made anew
  lines    more than 1,000 order lines are made anew
-#}
{% macro steer_planner() %}
    {%- set build = build_state() -%}
    {%- set when = model.config.meta.hash_joins -%}
    -- PostgreSQL's default, whatever the server's. With a flash disk's figure it loops through indexes on the sizes of
    -- common table expressions, which are guesses: a replay of real days met a plan that paired every shipment with every
    -- item of its system, ten minutes for a tenth of a second's work.
    set local random_page_cost = 4
    {%- if build.is_full and when == "lines" %};
    set local enable_nestloop = off
    {%- elif not build.is_full and when == "lines" and is_incremental() %};
    {{ prefer_hash_joins_for_lines(build, 1000) }}
    {%- elif not build.is_full and when == "part" and is_incremental() %};
    {{ prefer_hash_joins(
        "(select count(*) from (" ~ touched(model.config.meta.recomputed_by.kind, build.since) ~ ") as keys)"
    ) }}
    {%- elif not build.is_full and when == "landed" and is_incremental() %};
    {%- set landed = namespace(count=0) -%}
    {%- for scope in scopes_of(staging_models_of(model.config.meta.kind_of_record)) -%}
        {%- set landed.count = landed.count + scope.to - scope.from -%}
    {%- endfor %}
    {{ prefer_hash_joins(landed.count) }}
    {%- endif %}
{% endmacro %}

{#-
Hash joins where more than so many order lines were touched.

PostgreSQL knows no sizes of common table expressions: it guesses one row and would loop over thousands. For a few lines
that is right, and reading whole tables to hash them would be wrong. Lines are counted, not orders: a trade customer's
order has hundreds of them, and the loops grow with their square.
-#}
{% macro prefer_hash_joins_for_lines(build, most) %}
    select set_config(
        'enable_nestloop',
        case when count(*) > {{ most }} then 'off' else 'on' end,
        true
    )
    from (
        select 1
        from {{ ref("int_order_lines") }} as order_lines
        where order_lines.is_current and order_lines.order_name in ({{ touched("order_name", build.since) }})
        limit {{ most + 1 }}
    ) as lines
{% endmacro %}

{#-
Hash joins where a large part of a table is made anew.

What landed a moment ago is in no statistics yet: PostgreSQL then expects a row or two and loops over thousands. Where
the part is small beside the table, indexes are right whatever it expects, and hashing would read the table whole.
-#}
{% macro prefer_hash_joins(change_count) %}
    select set_config(
        'enable_nestloop',
        case
            when
                {{ change_count }} > 300
                and {{ change_count }} * 20 > greatest(held.reltuples, pg_relation_size(held.oid) / 300.0)
                then 'off'
            else 'on'
        end,
        true
    )
    from pg_class as held
    where held.oid = '{{ this }}'::regclass
{% endmacro %}
