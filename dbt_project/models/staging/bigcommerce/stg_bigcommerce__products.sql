with records as (
    {{ raw_records("bigcommerce", "products") }}
),

-- Left join, so that a deleted product and one without variants still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(variant.content ->> 'id', '') as source_item_id,
        coalesce(variant.content ->> 'id', '') as source_stock_item_id,
        coalesce(nullif(variant.content ->> 'sku', ''), records.payload ->> 'sku') as source_sku,
        coalesce(
            nullif(variant.content ->> 'gtin', ''),
            nullif(variant.content ->> 'upc', ''),
            nullif(records.payload ->> 'gtin', ''),
            nullif(records.payload ->> 'upc', '')
        ) as gtin,

        ---------- texts
        records.payload ->> 'name' as title,
        null::text as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        coalesce((records.payload ->> 'is_visible')::boolean, false)
        and coalesce(records.payload ->> 'availability', 'available') <> 'disabled'
        and not coalesce((variant.content ->> 'purchasing_disabled')::boolean, false) as is_active,
        coalesce(records.payload ->> 'type' = 'physical', false) as is_stocked,
        false as is_bundle
    from records
    left join lateral jsonb_array_elements(records.payload -> 'variants') as variant (content) on true
)

select * from final
