with records as (
    {{ raw_records("shopify", "products") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_item_id,
        coalesce(records.payload #>> '{inventoryItem,id}', records.key_text) as source_stock_item_id,
        records.payload ->> 'sku' as source_sku,
        records.payload ->> 'barcode' as gtin,

        ---------- texts
        records.payload #>> '{product,title}' as title,
        records.payload #>> '{product,productType}' as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        -- What is unlisted is sold by its link.
        coalesce(records.payload #>> '{product,status}' in ('ACTIVE', 'UNLISTED'), false) as is_active,
        coalesce((records.payload #>> '{inventoryItem,tracked}')::boolean, false) as is_stocked,
        false as is_bundle
    from records
)

select * from final
