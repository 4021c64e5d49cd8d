{{ config(
    materialized="incremental",
    incremental_strategy="ledger",
    on_schema_change="fail",
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
            {"because": "A shipment names the order that it was made from",
             "from": "order_id", "to": "order_name", "through": "int_order_lines",
             "at": ["row.system_id", "row.order_id"], "key": "row.order_name"},
            {"because": "An item that is another product now; so a line that names it, and a shipment of it",
             "from": "item_sku", "to": "order_name", "through": "int_order_lines",
             "at": ["row.system_id", "row.source_item_id"], "key": "row.order_name"},
            {"from": "shipped_item", "to": "order_name", "through": "int_movements",
             "at": ["row.system_id", "row.source_item_id"],
             "where": "row.is_current and row.kind in ('ship', 'sale', 'pick')", "key": "row.source_reference"},
            {"because": "A line that names a code, not an item; also one that the tenant's alias file leads to the product",
             "from": "code", "to": "order_name", "through": "int_order_lines", "at": "row.code_key",
             "key": "row.order_name"},
            {"from": "code", "to": "alias", "through": "governance.sku_aliases", "at": "governance.code_key(row.sku)",
             "key": ["row.system_id", "governance.code_key(row.source_sku)"]},
            {"from": "alias", "to": "order_name", "through": "int_order_lines", "at": ["row.system_id", "row.code_key"],
             "key": "row.order_name"},
            {"because": "A shipment that an order reports counts once the stock level is at least as new",
             "from": "stock_sku", "to": "order_name", "through": "this", "at": "row.sku", "key": "row.order_name",
             "beside": "stock_levels", "is_optional": true,
             "on": "row.sku = beside.sku and row.confirmed_location_id = beside.location_id",
             "where": "(row.unconfirmed_quantity > 0 or row.confirmed_by > coalesce(beside.as_of, '-infinity'))"},
            {"from": "swept", "to": "order_name", "through": "this", "at": "changed.key", "key": "row.order_name",
             "where": "row.unconfirmed_quantity > 0"},
        ],
    },
) }}

{%- set build = build_state() %}
{%- set has_set_aside = build_scopes("stock_levels") | selectattr("has_set_aside") | list | length > 0 %}
{%- set is_confirmed = (
    "not exists (select 1 from unconfirmed"
    ~ " where unconfirmed.sku = owned.sku and unconfirmed.location_id = locations.location_id)"
) if has_set_aside else "true" %}
{%- set condition = "order_lines.order_name in (" ~ touched("order_name", build.since) ~ ")" if is_part() else "true" %}

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

---------------------------------------------------------------- which lines, what of, and whose order it is
{{ order_demands(condition) }},

---------------------------------------------------------------- what must leave
-- A line counts in the copy that owns it. What the owner's record does not account for (it has not landed yet, or a
-- line of it maps to no product) is held as the copies have it: of each SKU what goes beyond the owner's own lines.
demands as (
    select
        coalesce(originals.owner_system_id, copies.owner_system_id) as owner_system_id,
        coalesce(originals.order_name, copies.order_name) as order_name,
        coalesce(originals.sku, copies.sku) as sku,
        coalesce(originals.channel, copies.channel) as channel,
        coalesce(originals.order_line_id, copies.order_line_id) as order_line_id,
        greatest(originals.ordered_quantity, copies.ordered_quantity) as ordered_quantity,
        greatest(originals.committed_quantity, copies.committed_quantity) as committed_quantity,
        coalesce(originals.is_cancelled, true) and coalesce(copies.is_cancelled, true) as is_cancelled
    from originals
    full outer join copies
        on
            originals.owner_system_id = copies.owner_system_id
            and originals.order_name = copies.order_name
            and originals.sku = copies.sku
),

---------------------------------------------------------------- where from, and what has left
-- What the order's copy says was shipped is out of the stock level once that is at least as new.
reported as (
    select
        owned.owner_system_id,
        owned.order_name,
        owned.sku,
        locations.location_id,
        owned.shipped_quantity,
        case when owned.is_cancelled then owned.shipped_quantity else owned.committed_quantity end as assigned_quantity,
        owned.occurred_at + make_interval(secs => owned.clock_uncertainty_seconds) as shipped_by,
        coalesce(
            owned.occurred_at + make_interval(secs => owned.clock_uncertainty_seconds) <= greatest(
                stock_levels.as_of,
                case when stock_levels.received_at <= sweeps.swept_at and {{ is_confirmed }} then sweeps.swept_as_of end
            ),
            false
        ) as is_in_level
    from owned
    inner join locations
        on owned.system_id = locations.system_id and owned.source_location_id = locations.source_location_id
    left join stock_levels on owned.sku = stock_levels.sku and locations.location_id = stock_levels.location_id
    left join sweeps on owned.system_id = sweeps.system_id
    where owned.sku is not null
),

handled as (
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        sum(assigned_quantity) as assigned_quantity,
        coalesce(sum(shipped_quantity) filter (where is_in_level), 0) as told_shipped_quantity,
        coalesce(sum(shipped_quantity) filter (where not is_in_level), 0) as unconfirmed_quantity,
        max(shipped_by) filter (where is_in_level and shipped_quantity > 0) as confirmed_by
    from reported
    group by owner_system_id, order_name, sku, location_id
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
        coalesce(handled.unconfirmed_quantity, 0) as unconfirmed_quantity,
        handled.confirmed_by,
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
        sum(unconfirmed_quantity) as unconfirmed_quantity,
        max(confirmed_by) as confirmed_by,
        case when count(confirmed_by) = 1 then max(location_id) filter (where confirmed_by is not null) end
            as confirmed_location_id,
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
    where sku is not null
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
        coalesce(shipped.unconfirmed_quantity, 0) as unconfirmed_quantity,
        shipped.confirmed_by,
        shipped.confirmed_location_id,
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
        held.unconfirmed_quantity,
        held.confirmed_by,
        held.confirmed_location_id,
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
