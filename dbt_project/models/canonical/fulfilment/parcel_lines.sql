with parcels as not materialized (
    select * from {{ ref("int_parcels") }}
    where is_current and not is_deleted and parcel_line_id <> ''
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- A parcel that says which order it was made for, in the ids of its own system.
made_for as (
    select distinct
        owner_system_id,
        order_name,
        system_id,
        order_id
    from order_lines
),

-- Else by the name that everybody calls the order, where one order alone has that name.
called as (
    select
        order_name,
        min(owner_system_id) as owner_system_id
    from order_lines
    where is_own
    group by order_name
    having count(distinct owner_system_id) = 1
),

matched as (
    select
        made_for.owner_system_id,
        made_for.order_name,
        parcels.*
    from made_for
    inner join parcels on made_for.system_id = parcels.system_id and made_for.order_id = parcels.order_id
    union all
    select
        called.owner_system_id,
        called.order_name,
        parcels.*
    from called
    inner join parcels on called.order_name = parcels.source_reference
    where
        not exists (
            select 1
            from order_lines
            where order_lines.system_id = parcels.system_id and order_lines.order_id = parcels.order_id
        )
),

-- Shipped is what a location's own system of record says of it; confirmed is what the system that took the order was
-- told. The ERP's copies of other locations are neither.
final as (
    select
        matched.system_id || '|' || matched.parcel_line_id as parcel_line_id,
        matched.system_id || '|' || matched.parcel_id
        || case when locations.location_id is null then '' else '|' || matched.source_location_id end as parcel_id,
        case when locations.location_id is null then 'confirmed' else 'shipped' end as reported_as,
        matched.owner_system_id || '|' || matched.order_name as order_id,
        matched.owner_system_id,
        matched.order_name,
        case
            when matched.line_id is not null
                then matched.owner_system_id || '|' || matched.order_id || '|' || matched.line_id
        end as order_line_id,
        coalesce(items.sku, own_lines.sku) as sku,
        matched.system_id,
        matched.parcel_id as source_parcel_id,
        matched.source_location_id,
        locations.location_id,
        matched.quantity,
        matched.status,
        matched.problem,
        matched.created_at,
        matched.shipped_at,
        matched.delivered_at,
        matched.carrier,
        matched.tracking_numbers,
        matched.tracking_urls,
        matched.received_at,
        matched.record_id,
        matched.correlation_id,
        matched.build_id
    from matched
    left join locations
        on matched.system_id = locations.system_id and matched.source_location_id = locations.source_location_id
    left join lateral (
        select min(item_skus.sku) as sku
        from {{ ref("int_item_skus") }} as item_skus
        where
            item_skus.system_id = matched.system_id
            and item_skus.source_stock_item_id = matched.source_item_id
    ) as items on true
    left join lateral (
        select min(order_lines.sku) as sku
        from order_lines
        where
            order_lines.system_id = matched.system_id
            and order_lines.order_id = matched.order_id
            and order_lines.line_id = matched.line_id
    ) as own_lines on true
    where locations.location_id is not null or matched.system_id = matched.owner_system_id
)

select * from final
