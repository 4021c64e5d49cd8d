{{ config(
    unique_key=["system_id", "source_key", "record_id", "source_item_id"],
    replaces=["system_id", "source_key"],
    touches={
        "item": "row.system_id || '|' || row.source_item_id",
        "code": "row.code_key",
        "gtin": "row.gtin_key",
    },
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "source_item_id"], "unique": true},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["code_key"]},
        {"columns": ["gtin_key"]},
        {"columns": ["build_id"]},
    ],
    pre_hook="{{ reckon_versions_by_hashing('products') }}",
) }}

{%- set columns = [
    "source_item_id", "source_stock_item_id", "source_sku", "gtin", "title", "category", "is_active", "is_stocked",
] %}

with {{ newest_versions("products", columns) }},

final as (
    select
        system_id,
        source_key,
        record_id,
        occurred_at,
        received_at,
        correlation_id,
        payload_hash,
        tie_rank,
        is_deleted,
        is_current,
        is_newest,
        source_item_id,
        source_stock_item_id,
        nullif(trim(source_sku), '') as source_sku,
        nullif(lower(trim(source_sku)), '') as code_key,
        nullif(trim(gtin), '') as gtin,
        -- GTIN-8, -12, -13 and -14 of one article differ by leading zeros only.
        nullif(ltrim(regexp_replace(coalesce(gtin, ''), '[^0-9]', '', 'g'), '0'), '') as gtin_key,
        title,
        nullif(trim(category), '') as category,
        is_active,
        is_stocked,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
