{{ config(
    materialized="incremental",
    unique_key=["reservation_id"],
    indexes=[
        {"columns": ["reservation_id"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["sku", "status"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "touches": {"position": "row.sku"},
        "hash_joins": "lines",
        "reached": [
            {"because": "a shipment names the order that it was made from",
             "from": "order_id", "to": "order_name", "through": "int_owned_order_lines",
             "at": ["row.system_id", "row.order_id"], "key": "row.order_name"},
            {"because": "a shipment of an item that is another product now",
             "from": "shipped_item", "to": "order_name", "through": "int_movements",
             "at": ["row.system_id", "row.source_item_id"],
             "where": "row.is_current and row.kind in ('ship', 'sale', 'pick')", "key": "row.source_reference"},
            {"from": "shipped_item", "to": "shipped_order", "through": "int_movements",
             "at": ["row.system_id", "row.source_item_id"],
             "where": "row.is_current and row.kind in ('ship', 'sale', 'pick')",
             "key": ["row.system_id", "row.source_order_id"]},
            {"from": "shipped_order", "to": "order_name", "through": "int_owned_order_lines",
             "at": ["row.system_id", "row.order_id"], "key": "row.order_name"},
            {"because": "a shipment that an order reports counts once the stock level is at least as new",
             "from": "stock_sku", "to": "order_name", "through": "this", "at": "row.sku", "key": "row.order_name",
             "beside": "stock_levels", "is_optional": true,
             "on": "row.sku = beside.sku and row.confirmed_location_id = beside.location_id",
             "where": "(row.unconfirmed_quantity > 0 or row.confirmed_by > coalesce(beside.as_of, '-infinity'))"},
            {"from": "swept", "to": "order_name", "through": "this", "at": "changed.key", "key": "row.order_name",
             "where": "row.unconfirmed_quantity > 0"},
        ],
    },
) }}

-- Read by its views, and where it is looked up what a change reaches.
-- depends_on: {{ ref("int_order_lines") }} {{ ref("int_owned_order_lines") }} {{ ref("int_movements") }}
-- depends_on: {{ ref("stock_levels") }}
with demands as (
    select * from {{ part_of(ref("int_order_demands"), "order_name", "order_name") }} as demands
),

places as (
    select * from {{ part_of(ref("int_order_places"), "order_name", "order_name") }} as places
),

only_channels as (
    select
        system_id,
        min(channel) as channel
    from {{ source("governance", "channels") }}
    group by system_id
    having count(*) = 1
),

shipped as (
    select
        owner_system_id,
        order_name,
        sku,
        sum(shipped_quantity) as shipped_quantity,
        (array_agg(location_id order by shipped_quantity desc, location_id asc))[1] as location_id,
        sum(unconfirmed_quantity) as unconfirmed_quantity,
        max(confirmed_by) as confirmed_by,
        case when count(confirmed_by) = 1 then max(location_id) filter (where confirmed_by is not null) end
            as confirmed_location_id,
        max(received_at) as received_at
    from places
    group by owner_system_id, order_name, sku
),

-- What an order still holds of a product.
held as (
    select
        demands.owner_system_id,
        demands.order_name,
        demands.sku,
        coalesce(demands.channel, only_channels.channel) as channel,
        demands.order_line_id,
        demands.ordered_quantity,
        demands.is_cancelled,
        coalesce(shipped.shipped_quantity, 0) as shipped_quantity,
        shipped.location_id as shipped_location_id,
        greatest(demands.committed_quantity - coalesce(shipped.shipped_quantity, 0), 0) as open_quantity,
        coalesce(shipped.unconfirmed_quantity, 0) as unconfirmed_quantity,
        shipped.confirmed_by,
        shipped.confirmed_location_id,
        demands.ordered_at,
        greatest(demands.received_at, shipped.received_at) as received_at,
        demands.record_id,
        demands.correlation_id
    from demands
    left join shipped
        on
            demands.owner_system_id = shipped.owner_system_id
            and demands.order_name = shipped.order_name
            and demands.sku = shipped.sku
    left join only_channels on demands.owner_system_id = only_channels.system_id
),

-- What is still wanted of each place, in the places' order.
wanted as (
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        greatest(assigned_quantity - shipped_quantity, 0) as wanted_quantity,
        sum(greatest(assigned_quantity - shipped_quantity, 0)) over (
            partition by owner_system_id, order_name, sku
            order by location_id asc
            rows unbounded preceding
        ) as until_here_quantity
    from places
),

-- Where it is held: at the places that want it, and what none of them wants, at none.
parts as (
    select
        held.owner_system_id,
        held.order_name,
        held.sku,
        wanted.location_id,
        least(
            wanted.wanted_quantity,
            greatest(held.open_quantity - (wanted.until_here_quantity - wanted.wanted_quantity), 0)
        ) as quantity
    from held
    inner join wanted
        on
            held.owner_system_id = wanted.owner_system_id
            and held.order_name = wanted.order_name
            and held.sku = wanted.sku
    union all
    select
        held.owner_system_id,
        held.order_name,
        held.sku,
        null as location_id,
        held.open_quantity - coalesce(sum(wanted.wanted_quantity), 0) as quantity
    from held
    left join wanted
        on
            held.owner_system_id = wanted.owner_system_id
            and held.order_name = wanted.order_name
            and held.sku = wanted.sku
    group by held.owner_system_id, held.order_name, held.sku, held.open_quantity
),

final as (
    select
        held.owner_system_id || '|' || held.order_name || '|' || held.sku || '|'
        || coalesce(case when held.open_quantity = 0 then held.shipped_location_id else parts.location_id end, '')
            as reservation_id,
        held.channel,
        held.order_name,
        held.order_line_id,
        held.sku,
        case when held.open_quantity = 0 then held.shipped_location_id else parts.location_id end as location_id,
        coalesce(parts.quantity, 0) as quantity,
        held.ordered_at,
        case
            when held.open_quantity > 0 then 'open'
            when held.shipped_quantity = 0 then 'cancelled'
            else 'released'
        end as status,
        case
            when held.open_quantity > 0 then null
            when held.shipped_quantity > 0 then 'shipped'
            when held.is_cancelled then 'order cancelled'
            else 'units removed'
        end as released_reason,
        held.ordered_quantity,
        held.shipped_quantity,
        held.unconfirmed_quantity,
        held.confirmed_by,
        held.confirmed_location_id,
        held.owner_system_id as source_system_id,
        held.received_at,
        held.record_id,
        held.correlation_id,
        {{ build_state().build_id }}::bigint as build_id
    from held
    left join parts
        on
            held.owner_system_id = parts.owner_system_id
            and held.order_name = parts.order_name
            and held.sku = parts.sku
            and parts.quantity > 0
    where held.open_quantity = 0 or parts.quantity > 0
)

select * from final
