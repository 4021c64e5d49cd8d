{{ config(
    unique_key=["system_id", "source_key", "record_id", "source_item_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "source_item_id"], "unique": true},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["code_key"]},
        {"columns": ["gtin_key"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "products",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {
            "item": ["row.system_id", "row.source_item_id"],
            "code": "row.code_key",
            "gtin": "row.gtin_key",
        },
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "source_item_id", "source_stock_item_id", "source_sku", "gtin", "title", "category", "location_scope", "is_active",
    "is_stocked", "is_bundle",
] %}

with {{ newest_versions("products", columns) }},

final as (
    select
        {{ version_columns() }},
        source_item_id,
        source_stock_item_id,
        nullif(trim(source_sku), '') as source_sku,
        governance.code_key(source_sku) as code_key,
        nullif(trim(gtin), '') as gtin,
        governance.gtin_key(gtin) as gtin_key,
        title,
        nullif(trim(category), '') as category,
        location_scope,
        is_active,
        is_stocked,
        is_bundle,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
