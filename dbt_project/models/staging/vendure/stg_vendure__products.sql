with records as (
    {{ raw_records("vendure", "products") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_item_id,
        coalesce(records.payload ->> 'id', records.key_text) as source_stock_item_id,
        records.payload ->> 'sku' as source_sku,
        null::text as gtin,

        ---------- texts
        coalesce(records.payload ->> 'name', records.payload #>> '{product,name}') as title,
        null::text as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        coalesce((records.payload ->> 'enabled')::boolean and (records.payload #>> '{product,enabled}')::boolean, false)
            as is_active,
        coalesce(records.payload ->> 'trackInventory' <> 'FALSE', false) as is_stocked,
        false as is_bundle
    from records
)

select * from final
