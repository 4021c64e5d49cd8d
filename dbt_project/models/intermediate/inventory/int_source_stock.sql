{{ config(
    unique_key=["system_id", "source_key", "record_id", "source_location_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "source_location_id"], "unique": true},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "stock_levels",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"stock_item": ["row.system_id", "row.source_item_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "source_item_id", "source_location_id", "on_hand_quantity", "available_quantity", "committed_quantity",
    "damaged_quantity", "quality_control_quantity",
] %}

with {{ newest_versions("stock_levels", columns) }},

final as (
    select
        {{ version_columns() }},
        source_item_id,
        source_location_id,
        on_hand_quantity,
        available_quantity,
        committed_quantity,
        damaged_quantity,
        quality_control_quantity,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
