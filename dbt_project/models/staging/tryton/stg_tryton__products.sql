with records as (
    {{ raw_records("tryton", "products") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_item_id,
        coalesce(records.payload ->> 'id', records.key_text) as source_stock_item_id,
        records.payload ->> 'code' as source_sku,
        jsonb_path_query_first(
            records.payload, '$.identifiers[*] ? (@.type == "ean" || @.type == "upc" || @.type == "isbn").code'
        ) #>> '{}' as gtin,

        ---------- texts
        records.payload #>> '{template,name}' as title,
        records.payload #>> '{template,categories,0,name}' as category,
        -- Everywhere.
        null::jsonb as location_scope,

        ---------- booleans
        coalesce(
            (records.payload ->> 'active')::boolean and (records.payload #>> '{template,active}')::boolean, false
        ) as is_active,
        coalesce(records.payload #>> '{template,type}' = 'goods', false) as is_stocked,
        coalesce(records.payload #>> '{template,type}' = 'kit', false) as is_bundle
    from records
)

select * from final
