with records as (
    {{ raw_records("netsuite", "products") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_item_id,
        coalesce(records.payload ->> 'id', records.key_text) as source_stock_item_id,
        records.payload ->> 'itemid' as source_sku,
        records.payload ->> 'upccode' as gtin,

        ---------- texts
        records.payload ->> 'displayname' as title,
        records.payload ->> 'class' as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        coalesce(records.payload ->> 'isinactive', 'F') = 'F' as is_active,
        -- Services, charges, discounts and kits are items too, but none of them lies on a shelf.
        coalesce(records.payload ->> 'itemtype' in ('InvtPart', 'Assembly'), false) as is_stocked,
        -- What is in it lies on the shelf, under its own number.
        coalesce(records.payload ->> 'itemtype' in ('Kit', 'Group'), false) as is_bundle
    from records
)

select * from final
