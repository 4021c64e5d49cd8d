{{ config(
    unique_key=["system_id", "source_key", "record_id", "parcel_line_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "parcel_line_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["source_reference"]},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "parcels",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {
            "order_record": ["row.system_id", "row.order_id"],
            "order_name": "row.source_reference",
        },
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "source_reference", "parcel_id", "parcel_line_id", "line_id", "source_item_id", "source_location_id",
    "quantity", "status", "problem", "created_at", "shipped_at", "delivered_at", "carrier", "tracking_numbers",
    "tracking_urls",
] %}

with {{ newest_versions("parcels", columns) }},

final as (
    select
        {{ version_columns() }},
        parcel_line_id,
        order_id,
        source_reference,
        parcel_id,
        line_id,
        source_item_id,
        source_location_id,
        quantity,
        status,
        problem,
        created_at,
        shipped_at,
        delivered_at,
        carrier,
        tracking_numbers,
        tracking_urls,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
