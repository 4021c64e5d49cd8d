-- Longer than 200 lines: the steps share the levels that are made anew; views of them would read each level again.
{{ config(
    materialized="incremental",
    unique_key=["sku", "location_id"],
    indexes=[
        {"columns": ["sku", "location_id"], "unique": true},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "stock_sku", "key": "row.sku"},
        "touches": {"position": "row.sku"},
        "hash_joins": "part",
        "reached": [
            {"from": "sku", "to": "stock_sku"},
            {"from": "stock_item", "to": "stock_sku", "through": "int_item_skus",
             "at": ["row.system_id", "row.source_stock_item_id"], "key": "row.sku"},
            {"because": "A sweep says nothing new but where something moved since the record was made",
             "from": "swept", "to": "moved_item", "through": "int_source_stock", "at": "row.system_id",
             "where": "row.is_current", "key": ["row.system_id", "row.source_item_id"], "beside": "int_movements",
             "on": "row.system_id = beside.system_id and row.source_item_id = beside.source_item_id"
                   ~ " and row.source_location_id = beside.source_location_id"
                   ~ " and row.occurred_at < beside.settled_at"},
            {"from": "moved_item", "to": "stock_sku", "through": "int_item_skus",
             "at": ["row.system_id", "row.source_stock_item_id"], "key": "row.sku"},
        ],
    },
) }}

{%- set build = build_state() %}

with source_stock as not materialized (
    select * from {{ ref("int_source_stock") }}
),

movements as not materialized (
    select * from {{ ref("int_movements") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

sweeps as (
    {{ sweeps(build_scopes("stock_levels")) }}
),

items as (
    select
        item_skus.sku,
        item_skus.system_id,
        item_skus.source_stock_item_id,
        item_skus.is_active,
        item_skus.location_scope
    from item_skus
    where
    {%- if is_part() %}
        item_skus.sku in ({{ touched("stock_sku", build.since) }})
    {%- else %}
        item_skus.sku is not null
    {%- endif %}
),

-- A place's own system of record is the only one believed: the join to locations leaves the ERP's copies out.
told as (
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
        end as told_quantity,
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
    where source_stock.is_current and not source_stock.is_deleted
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
        movements.counted_quantity is not null
        and movements.is_current
        and not movements.is_void
        and not exists (
            select 1
            from told
            where
                told.system_id = items.system_id
                and told.source_stock_item_id = items.source_stock_item_id
                and told.location_id = locations.location_id
        )
),

levels as (
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
        told_quantity,
        damaged_quantity,
        quality_control_quantity
    from told
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
        0 as told_quantity,
        0 as damaged_quantity,
        0 as quality_control_quantity
    from counted_only
),

later as (
    select
        levels.system_id,
        levels.source_stock_item_id,
        levels.source_location_id,
        levels.confirmed_at,
        levels.clock_uncertainty_seconds,
        movements.source_key,
        movements.is_current,
        movements.moved_at,
        movements.begins_at,
        movements.ends_at,
        movements.sequence,
        movements.delta_quantity,
        movements.counted_quantity,
        movements.record_id,
        movements.received_at,
        movements.correlation_id
    from levels
    inner join movements
        on
            levels.system_id = movements.system_id
            and levels.source_stock_item_id = movements.source_item_id
            and levels.source_location_id = movements.source_location_id
            and levels.occurred_at < movements.settled_at
),

-- A count is absolute: the newest one after the level takes the level's place.
counts as (
    select distinct on (system_id, source_stock_item_id, source_location_id)
        system_id,
        source_stock_item_id,
        source_location_id,
        counted_quantity,
        moved_at,
        sequence,
        source_key
    from later
    where counted_quantity is not null and is_current and moved_at > confirmed_at
    order by
        system_id asc,
        source_stock_item_id asc,
        source_location_id asc,
        moved_at desc,
        sequence desc,
        source_key desc
),

-- What the base says of a movement: whether it may be from before the movement, and which versions it may hold. A level
-- may have been taken so much later than it says as its system's clock is uncertain; a count was taken when it says.
effective as (
    select
        later.*,
        case
            when counts.source_key is null then later.moved_at > later.confirmed_at
            else
                (later.moved_at, later.sequence, later.source_key)
                > (counts.moved_at, counts.sequence, counts.source_key)
        end as may_precede,
        case
            when counts.source_key is null
                then
                    later.begins_at <= later.confirmed_at + make_interval(secs => later.clock_uncertainty_seconds)
                    and (later.ends_at is null or later.ends_at > later.confirmed_at)
            else
                (later.moved_at, later.sequence, later.source_key)
                <= (counts.moved_at, counts.sequence, counts.source_key)
                and later.begins_at <= counts.moved_at
                and (later.ends_at is null or later.ends_at > counts.moved_at)
        end as may_be_held
    from later
    left join counts
        on
            later.system_id = counts.system_id
            and later.source_stock_item_id = counts.source_stock_item_id
            and later.source_location_id = counts.source_location_id
),

-- What a movement says now, less the most of it that the base may hold already. Stock that is seen late is a lost sale
-- at worst; stock that is seen twice is sold twice.
movement_overlays as (
    select
        system_id,
        source_stock_item_id,
        source_location_id,
        source_key,
        coalesce(sum(delta_quantity) filter (where is_current), 0)
        - coalesce(
            greatest(
                max(coalesce(delta_quantity, 0)) filter (where may_be_held),
                max(0) filter (where may_precede)
            ),
            0
        ) as movement_quantity,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from effective
    group by system_id, source_stock_item_id, source_location_id, source_key
),

overlays as (
    select
        system_id,
        source_stock_item_id,
        source_location_id,
        sum(movement_quantity) as movement_quantity,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from movement_overlays
    group by system_id, source_stock_item_id, source_location_id
),

computed as (
    select
        levels.sku,
        levels.location_id,
        levels.system_id,
        levels.is_active,
        coalesce(counts.counted_quantity, levels.told_quantity) as base_quantity,
        coalesce(overlays.movement_quantity, 0) as movement_quantity,
        levels.damaged_quantity,
        levels.quality_control_quantity,
        -- A sweep's word is taken down where it decided about a movement; elsewhere the record's own time says as much,
        -- and a million rows need not be rewritten to say it again.
        case
            when counts.source_key is not null then counts.moved_at
            when overlays.record_id is not null then levels.confirmed_at
            else levels.occurred_at
        end as as_of,
        coalesce(levels.record_id, overlays.record_id) as record_id,
        greatest(levels.received_at, overlays.received_at) as received_at,
        case
            when levels.received_at is null or overlays.received_at > levels.received_at then overlays.correlation_id
            else levels.correlation_id
        end as correlation_id
    from levels
    left join counts
        on
            levels.system_id = counts.system_id
            and levels.source_stock_item_id = counts.source_stock_item_id
            and levels.source_location_id = counts.source_location_id
    left join overlays
        on
            levels.system_id = overlays.system_id
            and levels.source_stock_item_id = overlays.source_stock_item_id
            and levels.source_location_id = overlays.source_location_id
),

final as (
    select
        sku,
        location_id,
        sum(base_quantity + movement_quantity) as on_hand_quantity,
        sum(damaged_quantity) as damaged_quantity,
        sum(quality_control_quantity) as quality_control_quantity,
        sum(base_quantity) as base_quantity,
        sum(movement_quantity) as movement_quantity,
        min(as_of) as as_of,
        max(received_at) as received_at,
        min(system_id) as source_system_id,
        bool_and(is_active) as is_item_active,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        {{ build.build_id }}::bigint as build_id
    from computed
    group by sku, location_id
)

select * from final
