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

        ---------- booleans
        coalesce(records.payload #>> '{product,status}' = 'ACTIVE', false) as is_active,
        coalesce((records.payload #>> '{inventoryItem,tracked}')::boolean, false) as is_stocked
    from records
)

select * from final
