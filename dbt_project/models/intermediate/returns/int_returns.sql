{{ config(
    unique_key=["system_id", "source_key", "record_id", "return_part_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "return_part_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["origin_order_name"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "returns",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {
            "order_record": ["row.system_id", "row.order_id"],
            "named_order": "row.origin_order_name",
        },
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "return_id", "return_name", "return_part_id", "order_id", "origin_order_name", "origin_system_id",
    "line_id", "source_item_id", "announced_quantity", "received_quantity", "restocked_quantity", "disposition",
    "exchanged_quantity", "return_status", "announced_at", "arrived_at",
] %}

with {{ newest_versions("returns", columns) }},

final as (
    select
        {{ version_columns() }},
        return_part_id,
        return_id,
        return_name,
        order_id,
        origin_order_name,
        origin_system_id,
        line_id,
        source_item_id,
        announced_quantity,
        received_quantity,
        restocked_quantity,
        disposition,
        exchanged_quantity,
        return_status,
        announced_at,
        arrived_at,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
