{#-
What else a change reaches: written to staging.touched_keys just before the model that recomputes it.

Each runs in the transaction of its model. A build that recomputes everything needs none of it.
-#}

{#- Items whose code or barcode is that of a changed item, and those that claim the same product. -#}
{% macro collect_items_to_resolve() %}
    {%- set build = build_state() -%}
    {%- if is_incremental() and not build.is_full -%}
    analyze staging.touched_keys;
    insert into staging.touched_keys (build_id, kind, key)
    with codes as (
        {{ touched("code", build.since) }}
    ),

    gtins as (
        {{ touched("gtin", build.since) }}
    ),

    reached as (
        select items.key
        from ({{ touched("item", build.since) }}) as items
        union
        select source_items.system_id || '|' || source_items.source_item_id
        from codes
        inner join {{ ref("int_source_items") }} as source_items on codes.key = source_items.code_key
        union
        select source_items.system_id || '|' || source_items.source_item_id
        from gtins
        inner join {{ ref("int_source_items") }} as source_items on gtins.key = source_items.gtin_key
        union
        select source_items.system_id || '|' || source_items.source_item_id
        from codes
        inner join {{ source("governance", "sku_aliases") }} as aliases on codes.key = governance.code_key(aliases.sku)
        inner join {{ ref("int_source_items") }} as source_items
            on
                aliases.system_id = source_items.system_id
                and governance.code_key(aliases.source_sku) = source_items.code_key
    ),

    claims as (
        select
            item_skus.system_id,
            item_skus.candidate_sku
        from reached
        inner join {{ this }} as item_skus
            on
                item_skus.system_id = split_part(reached.key, '|', 1)
                and item_skus.source_item_id = substr(reached.key, length(split_part(reached.key, '|', 1)) + 2)
        where item_skus.candidate_sku is not null
        union
        select
            item_skus.system_id,
            products.sku
        from codes
        inner join {{ ref("products") }} as products on codes.key = governance.code_key(products.sku)
        inner join {{ this }} as item_skus on products.sku = item_skus.candidate_sku
        union
        select
            item_skus.system_id,
            products.sku
        from gtins
        inner join {{ ref("products") }} as products on gtins.key = governance.gtin_key(products.gtin)
        inner join {{ this }} as item_skus on products.sku = item_skus.candidate_sku
    )

    select distinct
        {{ build.build_id }},
        'resolve',
        found.key
    from (
        select reached.key
        from reached
        union
        select item_skus.system_id || '|' || item_skus.source_item_id
        from claims
        inner join {{ this }} as item_skus
            on claims.system_id = item_skus.system_id and claims.candidate_sku = item_skus.candidate_sku
    ) as found
    {%- endif -%}
{% endmacro %}

{#- SKUs whose stock level a changed level, movement, identity or sweep can have changed. -#}
{% macro collect_stock_skus() %}
    {%- set build = build_state() -%}
    {%- set newly_swept = build_scopes("stock_levels") | selectattr("is_newly_swept") | map(attribute="system_id") | list -%}
    {%- if is_incremental() and not build.is_full -%}
    analyze staging.touched_keys;
    insert into staging.touched_keys (build_id, kind, key)
    select distinct
        {{ build.build_id }},
        'stock_sku',
        found.key
    from (
        select skus.key
        from ({{ touched("sku", build.since) }}) as skus
        union all
        select item_skus.sku as key
        from ({{ touched("stock_item", build.since) }}) as stock_items
        inner join {{ ref("int_item_skus") }} as item_skus
            on
                item_skus.system_id = split_part(stock_items.key, '|', 1)
                and item_skus.source_stock_item_id
                = substr(stock_items.key, length(split_part(stock_items.key, '|', 1)) + 2)
        where item_skus.sku is not null
        {%- if newly_swept %}
        union all
        -- A sweep says nothing new but where something moved since the record was made.
        select item_skus.sku as key
        from {{ ref("int_source_stock") }} as source_stock
        inner join {{ ref("int_movements") }} as movements
            on
                source_stock.system_id = movements.system_id
                and source_stock.source_item_id = movements.source_item_id
                and source_stock.source_location_id = movements.source_location_id
                and source_stock.occurred_at < movements.settled_at
        inner join {{ ref("int_item_skus") }} as item_skus
            on
                source_stock.system_id = item_skus.system_id
                and source_stock.source_item_id = item_skus.source_stock_item_id
        where
            source_stock.is_current
            and item_skus.sku is not null
            and source_stock.system_id in ('{{ newly_swept | join("', '") }}')
        {%- endif %}
    ) as found;
    {{ reckon_changes_by_hashing("(select count(*) from (" ~ touched("stock_sku", build.since) ~ ") as skus)") }}
    {%- endif -%}
{% endmacro %}

{#- Orders, by the name everybody calls them, whose reservations may have changed. -#}
{% macro collect_order_names() %}
    {%- set build = build_state() -%}
    {%- set newly_swept = build_scopes("stock_levels") | selectattr("is_newly_swept") | list -%}
    {%- if is_incremental() and not build.is_full -%}
    analyze staging.touched_keys;
    insert into staging.touched_keys (build_id, kind, key)
    select distinct
        {{ build.build_id }},
        'order_name',
        found.key
    from (
        -- A shipment names the order that it was made from.
        select order_lines.order_name as key
        from ({{ touched("order_id", build.since) }}) as orders
        inner join {{ ref("int_order_lines") }} as order_lines
            on
                order_lines.system_id = split_part(orders.key, '|', 1)
                and order_lines.order_id = substr(orders.key, length(split_part(orders.key, '|', 1)) + 2)
        union all
        -- An item that is another product now.
        select order_lines.order_name as key
        from ({{ touched("item_sku", build.since) }}) as items
        inner join {{ ref("int_order_lines") }} as order_lines
            on
                order_lines.system_id = split_part(items.key, '|', 1)
                and order_lines.source_item_id = substr(items.key, length(split_part(items.key, '|', 1)) + 2)
        union all
        -- A line that names a code, not an item.
        select order_lines.order_name as key
        from ({{ touched("code", build.since) }}) as codes
        inner join {{ ref("int_order_lines") }} as order_lines on codes.key = order_lines.code_key
        union all
        -- A line that names a code which the tenant's alias file leads to the product.
        select order_lines.order_name as key
        from ({{ touched("code", build.since) }}) as codes
        inner join {{ source("governance", "sku_aliases") }} as aliases on codes.key = governance.code_key(aliases.sku)
        inner join {{ ref("int_order_lines") }} as order_lines
            on
                aliases.system_id = order_lines.system_id
                and governance.code_key(aliases.source_sku) = order_lines.code_key
        union all
        -- A shipment of an item that is another product now, or that was no product when it was made.
        select movements.source_reference as key
        from ({{ touched("shipped_item", build.since) }}) as items
        inner join {{ ref("int_movements") }} as movements
            on
                movements.system_id = split_part(items.key, '|', 1)
                and movements.source_item_id = substr(items.key, length(split_part(items.key, '|', 1)) + 2)
        where movements.is_current and movements.kind in ('ship', 'sale', 'pick')
        union all
        -- A shipment that an order tells of counts once the stock level is at least as new.
        select reservations.order_name as key
        from {{ this }} as reservations
        where
            reservations.status = 'open'
            {%- if not newly_swept %}
            and reservations.sku in ({{ touched("stock_sku", build.since) }})
            {%- endif %}
    ) as found
    where found.key is not null
    {%- endif -%}
{% endmacro %}

{#- SKUs whose available-to-sell may have changed beyond those of changed stock, reservations and products. -#}
{% macro collect_position_skus() %}
    {%- set build = build_state() -%}
    {%- if is_incremental() and not build.is_full and not build.is_marts_full -%}
    insert into staging.touched_keys (build_id, kind, key)
    select distinct
        {{ build.build_id }},
        'position',
        found.key
    from (
        select item_skus.sku as key
        from ({{ touched("stock_item", build.since) }}) as stock_items
        inner join {{ ref("int_item_skus") }} as item_skus
            on
                item_skus.system_id = split_part(stock_items.key, '|', 1)
                and item_skus.source_stock_item_id
                = substr(stock_items.key, length(split_part(stock_items.key, '|', 1)) + 2)
        -- A channel that shows gross stock is written its own allocations on top.
        inner join {{ source("governance", "channels") }} as channels
            on item_skus.system_id = channels.system_id and channels.shows = 'on_hand'
        {%- if has_touched("location", build.since) %}
        union all
        -- A place was switched off, or on again.
        select stock_levels.sku as key
        from ({{ touched("location", build.since) }}) as places
        inner join {{ ref("locations") }} as locations
            on places.key = locations.system_id || '|' || locations.source_location_id
        inner join {{ ref("stock_levels") }} as stock_levels on locations.location_id = stock_levels.location_id
        union all
        select reservations.sku as key
        from ({{ touched("location", build.since) }}) as places
        inner join {{ ref("locations") }} as locations
            on places.key = locations.system_id || '|' || locations.source_location_id
        inner join {{ ref("reservations") }} as reservations on locations.location_id = reservations.location_id
        where reservations.status = 'open'
        {%- endif %}
    ) as found
    where found.key is not null;
    analyze staging.touched_keys
    {%- endif -%}
{% endmacro %}

{#- SKUs to compare with what the channels show: changed positions and listings, and every difference that is open. -#}
{% macro collect_difference_skus() %}
    {%- set build = build_state() -%}
    {%- if is_incremental() and not build.is_full and not build.is_marts_full -%}
    insert into staging.touched_keys (build_id, kind, key)
    select distinct
        {{ build.build_id }},
        'difference',
        found.key
    from (
        select item_skus.sku as key
        from ({{ touched("stock_item", build.since) }}) as stock_items
        inner join {{ ref("int_item_skus") }} as item_skus
            on
                item_skus.system_id = split_part(stock_items.key, '|', 1)
                and item_skus.source_stock_item_id
                = substr(stock_items.key, length(split_part(stock_items.key, '|', 1)) + 2)
        inner join {{ source("governance", "channels") }} as channels on item_skus.system_id = channels.system_id
        union all
        select skus.key
        from ({{ touched("sku", build.since) }}) as skus
        union all
        select differences.sku as key
        from {{ this }} as differences
        {%- if has_touched("location", build.since) %}
        union all
        -- What is listed at a place that was switched off, or on again.
        select item_skus.sku as key
        from ({{ touched("location", build.since) }}) as places
        inner join {{ source("governance", "channels") }} as channels
            on places.key = channels.system_id || '|' || channels.listing_location_id
        inner join {{ ref("int_item_skus") }} as item_skus on channels.system_id = item_skus.system_id
        {%- endif %}
    ) as found
    where found.key is not null;
    analyze staging.touched_keys
    {%- endif -%}
{% endmacro %}

{#-
Joins by hashing where more than so many order lines were touched, for the rest of the transaction.

PostgreSQL knows no sizes of common table expressions: it guesses one row and would loop over thousands. For a few lines
that is right, and reading whole tables to hash them would be wrong. Lines are counted, not orders: a trade customer's
order has hundreds of them, and the loops grow with their square.
-#}
{% macro reckon_lines_by_hashing(most) %}
    {%- set build = build_state() -%}
    {%- if build.is_full or not is_incremental() -%}
    set local enable_nestloop = off
    {%- else -%}
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
    {%- endif -%}
{% endmacro %}

{#-
Joins by hashing where a large part of a table is made anew, for the rest of the transaction.

What landed a moment ago is in no statistics yet: PostgreSQL then expects a row or two and loops over thousands. Where
the part is small beside the table, indexes are right whatever it expects, and hashing would read the table whole.
-#}
{% macro reckon_changes_by_hashing(change_count) %}
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

{#- The same for a model of the newest versions of a kind of record: what changes is at most what landed. -#}
{% macro reckon_versions_by_hashing(kind) %}
    {%- if is_incremental() and not build_state().is_full -%}
    {%- set landed = namespace(count=0) -%}
    {%- for scope in scopes_of(staging_models_of(kind)) -%}
        {%- set landed.count = landed.count + scope.to - scope.from -%}
    {%- endfor -%}
    {{ reckon_changes_by_hashing(landed.count) }}
    {%- endif -%}
{% endmacro %}
