{{ config(materialized="view") }}

with source_stock as not materialized (
    select * from {{ ref("int_source_stock") }}
    where is_current and not is_deleted
),

movements as not materialized (
    select * from {{ ref("int_movements") }}
    where counted_quantity is not null and is_current and not is_void
),

items as not materialized (
    select * from {{ ref("int_item_skus") }}
    where sku is not null
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

sweeps as not materialized (
    select * from {{ source("staging", "build_scope") }}
    where stream = 'stock_levels' and swept_as_of is not null and swept_at is not null
),

-- A place's own system of record is the only one believed: the join to locations leaves the ERP's copies out.
reported as (
    select
        items.sku,
        locations.location_id,
        items.system_id,
        items.source_stock_item_id,
        items.is_active and {{ is_sold_at("items.location_scope", "locations.source_location_id") }} as is_active,
        locations.source_location_id,
        systems.clock_uncertainty_seconds,
        source_stock.record_id,
        source_stock.received_at,
        source_stock.correlation_id,
        source_stock.occurred_at,
        case
            when source_stock.is_newest and source_stock.received_at <= sweeps.swept_at
                then greatest(source_stock.occurred_at, sweeps.swept_as_of)
            else source_stock.occurred_at
        end as confirmed_at,
        -- A system whose figure is what is left after its own orders is made to say what lies on the shelf.
        case systems.quantity_means
            when 'available'
                then
                    coalesce(source_stock.available_quantity, source_stock.on_hand_quantity)
                    + case when systems.reserves_on_order then coalesce(source_stock.committed_quantity, 0) else 0 end
            else source_stock.on_hand_quantity
        end as reported_quantity,
        source_stock.damaged_quantity,
        source_stock.quality_control_quantity
    from items
    inner join source_stock
        on items.system_id = source_stock.system_id and items.source_stock_item_id = source_stock.source_item_id
    inner join locations
        on
            source_stock.system_id = locations.system_id
            and source_stock.source_location_id = locations.source_location_id
    inner join systems on items.system_id = systems.system_id
    left join sweeps on items.system_id = sweeps.system_id
),

-- A count alone is a level too, where the system tells no other.
counted_only as (
    select distinct
        items.sku,
        locations.location_id,
        items.system_id,
        items.source_stock_item_id,
        items.is_active and {{ is_sold_at("items.location_scope", "locations.source_location_id") }} as is_active,
        locations.source_location_id,
        systems.clock_uncertainty_seconds
    from items
    inner join movements
        on items.system_id = movements.system_id and items.source_stock_item_id = movements.source_item_id
    inner join locations
        on movements.system_id = locations.system_id and movements.source_location_id = locations.source_location_id
    inner join systems on items.system_id = systems.system_id
    where
        not exists (
            select 1
            from source_stock
            where
                source_stock.system_id = items.system_id
                and source_stock.source_item_id = items.source_stock_item_id
                and source_stock.source_location_id = locations.source_location_id
        )
),

final as (
    select
        sku,
        location_id,
        system_id,
        source_stock_item_id,
        is_active,
        source_location_id,
        clock_uncertainty_seconds,
        record_id,
        received_at,
        correlation_id,
        occurred_at,
        confirmed_at,
        reported_quantity,
        damaged_quantity,
        quality_control_quantity
    from reported
    union all
    select
        sku,
        location_id,
        system_id,
        source_stock_item_id,
        is_active,
        source_location_id,
        clock_uncertainty_seconds,
        null as record_id,
        null as received_at,
        null as correlation_id,
        '-infinity'::timestamptz as occurred_at,
        '-infinity'::timestamptz as confirmed_at,
        0 as reported_quantity,
        0 as damaged_quantity,
        0 as quality_control_quantity
    from counted_only
)

select * from final
