{{ config(
    materialized="incremental",
    incremental_strategy="ledger",
    on_schema_change="fail",
    unique_key=["reservation_id"],
    replaces={"touched": "order_name", "by": "held.order_name"},
    touches={"position": "row.sku"},
    indexes=[
        {"columns": ["reservation_id"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["sku", "status"]},
        {"columns": ["build_id"]},
    ],
    pre_hook=[
        "{{ collect_order_names() }}",
        "{{ reckon_lines_by_hashing(1000) }}",
    ],
) }}

{%- set build = build_state() %}
{%- set has_set_aside = build_scopes("stock_levels") | selectattr("has_set_aside") | list | length > 0 %}
{%- set is_confirmed = (
    "not exists (select 1 from unconfirmed"
    ~ " where unconfirmed.sku = owned.sku and unconfirmed.location_id = locations.location_id)"
) if has_set_aside else "true" %}

with order_lines as not materialized (
    select * from {{ ref("int_order_lines") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

products as not materialized (
    select * from {{ ref("products") }}
),

movements as not materialized (
    select * from {{ ref("int_movements") }}
    where is_current and not is_void
),

stock_levels as not materialized (
    select * from {{ ref("stock_levels") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

aliases as not materialized (
    select * from {{ source("governance", "sku_aliases") }}
),

non_stock_codes as not materialized (
    select * from {{ source("governance", "non_stock_codes") }}
),

sweeps as (
    {{ sweeps(build_scopes("stock_levels")) }}
),

{%- if has_set_aside %}

-- Levels of which a newer version was set aside: no sweep has confirmed what is known of them. By its name, not by ref:
-- stock_levels comes after it already, and only this rare case reads it here.
unconfirmed as (
    select
        item_skus.sku,
        locations.location_id
    from staging.int_source_stock as source_stock
    inner join item_skus
        on
            source_stock.system_id = item_skus.system_id
            and source_stock.source_item_id = item_skus.source_stock_item_id
    inner join locations
        on
            source_stock.system_id = locations.system_id
            and source_stock.source_location_id = locations.source_location_id
    where source_stock.is_current and not source_stock.is_newest
),
{%- endif %}

---------------------------------------------------------------- which lines, and what of
lines as (
    select
        order_lines.*,
        systems.role,
        systems.clock_uncertainty_seconds
    from order_lines
    inner join systems on order_lines.system_id = systems.system_id
    where
        order_lines.is_current
        and not order_lines.is_deleted
        and order_lines.line_id <> ''
    {%- if is_incremental() and not build.is_full %}
        and order_lines.order_name in ({{ touched("order_name", build.since) }})
        {%- endif %}
),

-- A line that names no item that we know is looked up by its code, unless that is declared as something else than
-- goods.
coded as (
    select
        lines.system_id,
        lines.code_key,
        case when count(distinct products.sku) = 1 then min(products.sku) end as sku
    from lines
    left join aliases on lines.system_id = aliases.system_id and lines.code_key = lower(trim(aliases.source_sku))
    inner join products on lines.code_key = lower(products.sku) or aliases.sku = products.sku
    where
        (lines.source_item_id is null or lines.source_item_id = '')
        and not exists (
            select 1
            from non_stock_codes
            where lines.code_key ~* ('^(' || non_stock_codes.pattern || ')$')
        )
    group by lines.system_id, lines.code_key
),

goods as (
    select
        lines.*,
        coalesce(item_skus.sku, coded.sku) as sku
    from lines
    left join item_skus on lines.system_id = item_skus.system_id and lines.source_item_id = item_skus.source_item_id
    left join coded
        on
            lines.system_id = coded.system_id
            and lines.code_key = coded.code_key
            and (lines.source_item_id is null or lines.source_item_id = '')
    where coalesce(item_skus.sku, coded.sku) is not null
),

---------------------------------------------------------------- whose order it is
taken as (
    select
        goods.*,
        own_channel.channel as own_channel,
        -- Taken by a shop, or by the online side of a system that has tills as well.
        goods.role = 'shop' or own_channel.channel is not null as is_channel_order,
        coalesce(hinted_system.system_id, hinted_channel.system_id) as hinted_system_id
    from goods
    left join lateral (
        select min(channels.channel) as channel
        from channels
        where
            channels.system_id = goods.system_id
            and (goods.source_location_id is null or goods.source_location_id = channels.listing_location_id)
    ) as own_channel on true
    left join systems as hinted_system on goods.origin_system_id = hinted_system.system_id
    left join channels as hinted_channel on goods.origin_system_id = hinted_channel.channel
),

channel_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from taken
    where is_channel_order
    group by order_name
),

-- A copy that does not say whose it is belongs to the one channel that has an order of that name; to none, and it is
-- the system's own; to several, and it is one of theirs, so it must not be held a second time.
erp_lines as (
    select
        taken.*,
        case
            when taken.hinted_system_id is not null then taken.hinted_system_id
            when taken.origin_order_name is null or channel_names.system_count is null then taken.system_id
            when channel_names.system_count = 1 then channel_names.system_id
        end as owner_system_id
    from taken
    left join channel_names on taken.order_name = channel_names.order_name
    where taken.role = 'erp' and not taken.is_channel_order
),

erp_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from (
        select
            order_name,
            system_id
        from taken
        where is_channel_order
        union all
        select
            order_name,
            system_id
        from erp_lines
        where owner_system_id = system_id
    ) as named
    group by order_name
),

warehouse_lines as (
    select
        taken.*,
        case
            when taken.hinted_system_id is not null then taken.hinted_system_id
            when taken.origin_order_name is null or erp_names.system_count is null then taken.system_id
            when erp_names.system_count = 1 then erp_names.system_id
        end as owner_system_id
    from taken
    left join erp_names on taken.order_name = erp_names.order_name
    where taken.role = 'warehouse' and not taken.is_channel_order
),

owned as (
    select
        taken.*,
        taken.system_id as owner_system_id
    from taken
    where taken.is_channel_order
    union all
    select * from erp_lines
    where owner_system_id is not null
    union all
    select * from warehouse_lines
    where owner_system_id is not null
),

---------------------------------------------------------------- what must leave
originals as (
    select
        owner_system_id,
        order_name,
        sku,
        max(own_channel) as channel,
        min(line_id) as order_line_id,
        sum(ordered_quantity) as ordered_quantity,
        sum(case when is_cancelled then 0 else committed_quantity end) as committed_quantity,
        bool_and(is_cancelled) as is_cancelled
    from owned
    where system_id = owner_system_id
    group by owner_system_id, order_name, sku
),

landed_orders as (
    select distinct
        owner_system_id,
        order_name
    from owned
    where system_id = owner_system_id
),

copied as (
    select
        owned.owner_system_id,
        owned.order_name,
        owned.sku,
        owned.system_id,
        min(owned.line_id) as order_line_id,
        sum(owned.ordered_quantity) as ordered_quantity,
        sum(case when owned.is_cancelled then 0 else owned.committed_quantity end) as committed_quantity,
        bool_and(owned.is_cancelled) as is_cancelled
    from owned
    where owned.system_id <> owned.owner_system_id
    group by owned.owner_system_id, owned.order_name, owned.sku, owned.system_id
),

-- While the channel's own record of the order is on its way, its copy stands for it.
stand_ins as (
    select distinct on (copied.owner_system_id, copied.order_name, copied.sku)
        copied.owner_system_id,
        copied.order_name,
        copied.sku,
        null::text as channel,
        copied.order_line_id,
        copied.ordered_quantity,
        copied.committed_quantity,
        copied.is_cancelled
    from copied
    left join landed_orders
        on copied.owner_system_id = landed_orders.owner_system_id and copied.order_name = landed_orders.order_name
    where landed_orders.order_name is null
    order by
        copied.owner_system_id asc,
        copied.order_name asc,
        copied.sku asc,
        copied.committed_quantity desc,
        copied.system_id asc
),

demands as (
    select
        owner_system_id,
        order_name,
        sku,
        channel,
        order_line_id,
        ordered_quantity,
        committed_quantity,
        is_cancelled
    from originals
    union all
    select
        owner_system_id,
        order_name,
        sku,
        channel,
        order_line_id,
        ordered_quantity,
        committed_quantity,
        is_cancelled
    from stand_ins
),

---------------------------------------------------------------- where from, and what has left
handled as (
    select
        owned.owner_system_id,
        owned.order_name,
        owned.sku,
        locations.location_id,
        sum(case when owned.is_cancelled then owned.shipped_quantity else owned.committed_quantity end)
            as assigned_quantity,
        -- What the order's copy says was shipped is out of the stock level once that is at least as new.
        sum(
            case
                when
                    owned.occurred_at + make_interval(secs => owned.clock_uncertainty_seconds) <= greatest(
                        stock_levels.as_of,
                        case
                            when
                                stock_levels.received_at <= sweeps.swept_at
                                and {{ is_confirmed }}
                                then sweeps.swept_as_of
                        end
                    )
                    then owned.shipped_quantity
                else 0
            end
        ) as told_shipped_quantity
    from owned
    inner join locations
        on owned.system_id = locations.system_id and owned.source_location_id = locations.source_location_id
    left join stock_levels on owned.sku = stock_levels.sku and locations.location_id = stock_levels.location_id
    left join sweeps on owned.system_id = sweeps.system_id
    group by owned.owner_system_id, owned.order_name, owned.sku, locations.location_id
),

shipments_by_order as (
    select distinct
        owned.owner_system_id,
        owned.order_name,
        movements.system_id,
        movements.source_key,
        movements.source_location_id
    from owned
    inner join movements
        on owned.system_id = movements.system_id and owned.order_id = movements.source_order_id
    where movements.kind in ('ship', 'sale', 'pick')
),

shipments_by_name as (
    select
        demands.order_name,
        demands.sku,
        movements.system_id,
        movements.source_key,
        movements.source_location_id,
        min(demands.owner_system_id) as owner_system_id
    from demands
    inner join movements on demands.order_name = movements.source_reference
    inner join item_skus
        on
            movements.system_id = item_skus.system_id
            and movements.source_item_id = item_skus.source_stock_item_id
            and demands.sku = item_skus.sku
    left join shipments_by_order
        on
            movements.system_id = shipments_by_order.system_id
            and movements.source_key = shipments_by_order.source_key
            and movements.source_location_id = shipments_by_order.source_location_id
    where movements.kind in ('ship', 'sale', 'pick') and shipments_by_order.source_key is null
    group by
        demands.order_name,
        demands.sku,
        movements.system_id,
        movements.source_key,
        movements.source_location_id
    having count(distinct demands.owner_system_id) = 1
),

shipments as (
    select
        owner_system_id,
        order_name,
        system_id,
        source_key,
        source_location_id
    from shipments_by_order
    union all
    select
        owner_system_id,
        order_name,
        system_id,
        source_key,
        source_location_id
    from shipments_by_name
),

-- Materialized: its size is a guess, and on a guess of one row PostgreSQL pairs every shipment with every item of its
-- system before it looks which item was shipped.
shipped_movements as materialized (
    select
        shipments.owner_system_id,
        shipments.order_name,
        movements.system_id,
        movements.source_item_id,
        movements.source_location_id,
        movements.delta_quantity,
        movements.received_at
    from shipments
    inner join movements
        on
            shipments.system_id = movements.system_id
            and shipments.source_key = movements.source_key
            and shipments.source_location_id = movements.source_location_id
),

-- Whatever left by a landed movement is out of the stock level: in its base, or in what is laid over it.
moved as (
    select
        shipped_movements.owner_system_id,
        shipped_movements.order_name,
        item_skus.sku,
        locations.location_id,
        greatest(-sum(shipped_movements.delta_quantity), 0) as moved_quantity,
        max(shipped_movements.received_at) as received_at
    from shipped_movements
    inner join item_skus
        on
            shipped_movements.system_id = item_skus.system_id
            and shipped_movements.source_item_id = item_skus.source_stock_item_id
    inner join locations
        on
            shipped_movements.system_id = locations.system_id
            and shipped_movements.source_location_id = locations.source_location_id
    where item_skus.sku is not null
    group by
        shipped_movements.owner_system_id, shipped_movements.order_name, item_skus.sku, locations.location_id
),

places as (
    select
        coalesce(handled.owner_system_id, moved.owner_system_id) as owner_system_id,
        coalesce(handled.order_name, moved.order_name) as order_name,
        coalesce(handled.sku, moved.sku) as sku,
        coalesce(handled.location_id, moved.location_id) as location_id,
        coalesce(handled.assigned_quantity, 0) as assigned_quantity,
        greatest(coalesce(handled.told_shipped_quantity, 0), coalesce(moved.moved_quantity, 0)) as shipped_quantity,
        moved.received_at
    from handled
    full outer join moved
        on
            handled.owner_system_id = moved.owner_system_id
            and handled.order_name = moved.order_name
            and handled.sku = moved.sku
            and handled.location_id = moved.location_id
),

shipped as (
    select
        owner_system_id,
        order_name,
        sku,
        sum(shipped_quantity) as shipped_quantity,
        (array_agg(location_id order by shipped_quantity desc, location_id asc))[1] as location_id,
        max(received_at) as received_at
    from places
    group by owner_system_id, order_name, sku
),

---------------------------------------------------------------- what it still holds, and where
facts as (
    select
        owner_system_id,
        order_name,
        sku,
        min(ordered_at) as ordered_at,
        max(received_at) as received_at,
        (array_agg(record_id order by (system_id = owner_system_id) desc, received_at desc, record_id desc))[1]
            as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from owned
    group by owner_system_id, order_name, sku
),

held as (
    select
        demands.owner_system_id,
        demands.order_name,
        demands.sku,
        coalesce(demands.channel, only_channel.channel) as channel,
        demands.order_line_id,
        demands.ordered_quantity,
        demands.committed_quantity,
        demands.is_cancelled,
        coalesce(shipped.shipped_quantity, 0) as shipped_quantity,
        shipped.location_id as shipped_location_id,
        greatest(demands.committed_quantity - coalesce(shipped.shipped_quantity, 0), 0) as open_quantity,
        facts.ordered_at,
        greatest(facts.received_at, shipped.received_at) as received_at,
        facts.record_id,
        facts.correlation_id
    from demands
    inner join facts
        on
            demands.owner_system_id = facts.owner_system_id
            and demands.order_name = facts.order_name
            and demands.sku = facts.sku
    left join shipped
        on
            demands.owner_system_id = shipped.owner_system_id
            and demands.order_name = shipped.order_name
            and demands.sku = shipped.sku
    left join lateral (
        select min(channels.channel) as channel
        from channels
        where channels.system_id = demands.owner_system_id
        having count(*) = 1
    ) as only_channel on true
),

assignable as (
    select
        places.owner_system_id,
        places.order_name,
        places.sku,
        places.location_id,
        greatest(places.assigned_quantity - places.shipped_quantity, 0) as wanted_quantity,
        coalesce(
            sum(greatest(places.assigned_quantity - places.shipped_quantity, 0)) over (
                partition by places.owner_system_id, places.order_name, places.sku
                order by places.location_id asc
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as earlier_quantity
    from places
),

assigned as (
    select
        held.owner_system_id,
        held.order_name,
        held.sku,
        assignable.location_id,
        least(assignable.wanted_quantity, greatest(held.open_quantity - assignable.earlier_quantity, 0))
            as quantity
    from held
    inner join assignable
        on
            held.owner_system_id = assignable.owner_system_id
            and held.order_name = assignable.order_name
            and held.sku = assignable.sku
),

assigned_sums as (
    select
        owner_system_id,
        order_name,
        sku,
        sum(quantity) as quantity
    from assigned
    group by owner_system_id, order_name, sku
),

parts as (
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        quantity,
        'open' as status,
        null as released_reason
    from assigned
    where quantity > 0
    union all
    select
        held.owner_system_id,
        held.order_name,
        held.sku,
        null as location_id,
        held.open_quantity - coalesce(assigned_sums.quantity, 0) as quantity,
        'open' as status,
        null as released_reason
    from held
    left join assigned_sums
        on
            held.owner_system_id = assigned_sums.owner_system_id
            and held.order_name = assigned_sums.order_name
            and held.sku = assigned_sums.sku
    where held.open_quantity > coalesce(assigned_sums.quantity, 0)
    union all
    select
        owner_system_id,
        order_name,
        sku,
        shipped_location_id as location_id,
        0 as quantity,
        case when shipped_quantity = 0 then 'cancelled' else 'released' end as status,
        case
            when shipped_quantity > 0 then 'shipped'
            when is_cancelled then 'order cancelled'
            else 'units removed'
        end as released_reason
    from held
    where open_quantity = 0
),

final as (
    select
        parts.owner_system_id || '|' || parts.order_name || '|' || parts.sku || '|' || coalesce(parts.location_id, '')
            as reservation_id,
        held.channel,
        parts.order_name,
        held.order_line_id,
        parts.sku,
        parts.location_id,
        parts.quantity,
        held.ordered_at,
        parts.status,
        parts.released_reason,
        held.ordered_quantity,
        held.shipped_quantity,
        parts.owner_system_id as source_system_id,
        held.received_at,
        held.record_id,
        held.correlation_id,
        {{ build.build_id }}::bigint as build_id
    from parts
    inner join held
        on
            parts.owner_system_id = held.owner_system_id
            and parts.order_name = held.order_name
            and parts.sku = held.sku
)

select * from final
