{{ config(
    unique_key=["system_id", "source_key", "record_id", "line_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "line_id"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["code_key"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "orders",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"order_name": "row.order_name"},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "own_order_name", "origin_order_name", "origin_system_id", "line_id", "source_item_id", "source_code",
    "source_location_id", "ordered_quantity", "committed_quantity", "shipped_quantity", "is_cancelled", "ordered_at",
] %}

with {{ newest_versions("orders", columns) }},

final as (
    select
        {{ version_columns() }},
        line_id,
        order_id,
        own_order_name,
        origin_order_name,
        origin_system_id,
        -- What everybody calls the order: the copy in the ERP bears the name that the channel gave it.
        coalesce(origin_order_name, own_order_name) as order_name,
        source_item_id,
        source_code,
        governance.code_key(source_code) as code_key,
        source_location_id,
        ordered_quantity,
        committed_quantity,
        shipped_quantity,
        is_cancelled,
        ordered_at,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
