with records as (
    {{ raw_records("shipbob", "products") }}
),

-- Left join, so that a deleted product and one without variants still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        -- Stock, history and shipments all name the inventory item, so that is what the item is here.
        case
            when variant.content is null then ''
            else coalesce(variant.content #>> '{inventory,inventory_id}', 'variant ' || (variant.content ->> 'id'))
        end as source_item_id,
        coalesce(variant.content #>> '{inventory,inventory_id}', '') as source_stock_item_id,
        variant.content ->> 'sku' as source_sku,
        coalesce(nullif(variant.content ->> 'gtin', ''), variant.content ->> 'upc') as gtin,

        ---------- texts
        records.payload ->> 'name' as title,
        null::text as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        coalesce(variant.content ->> 'status', 'Active') = 'Active' as is_active,
        not coalesce((variant.content ->> 'is_digital')::boolean, false)
        and variant.content #>> '{inventory,inventory_id}' is not null as is_stocked,
        false as is_bundle
    from records
    left join lateral jsonb_array_elements(
        case jsonb_typeof(records.payload -> 'variants') when 'array' then records.payload -> 'variants' end
    ) as variant (content) on true
)

select * from final
