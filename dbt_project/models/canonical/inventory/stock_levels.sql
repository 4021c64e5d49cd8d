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

-- Read by its views, and where it is looked up what a change reaches.
-- depends_on: {{ ref("int_item_skus") }} {{ ref("int_source_stock") }} {{ ref("int_movements") }}
with levels as (
    select * from {{ part_of(ref("int_reported_levels"), "stock_sku", "sku") }} as levels
),

overlays as (
    select * from {{ part_of(ref("int_level_overlays"), "stock_sku", "sku") }} as overlays
),

computed as (
    select
        levels.sku,
        levels.location_id,
        levels.system_id,
        levels.is_active,
        coalesce(overlays.base_quantity, levels.reported_quantity) as base_quantity,
        coalesce(overlays.movement_quantity, 0) as movement_quantity,
        levels.damaged_quantity,
        levels.quality_control_quantity,
        -- A sweep's word is taken down where it decided about a movement; elsewhere the record's own time says as much,
        -- and a million rows need not be rewritten to say it again.
        case
            when overlays.base_moved_at is not null then overlays.base_moved_at
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
    left join overlays
        on
            levels.sku = overlays.sku
            and levels.system_id = overlays.system_id
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
        {{ build_state().build_id }}::bigint as build_id
    from computed
    group by sku, location_id
)

select * from final
