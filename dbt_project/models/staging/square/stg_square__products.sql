with records as (
    {{ raw_records("square", "products") }}
),

-- Left join, so that a deleted item and one without variations still leave a row of their key.
final as (
    select
        records.system_id,
        records.record_id,
        records.source_key,
        records.occurred_at,
        records.received_at,
        records.correlation_id,
        records.payload_hash,
        records.payload is null
        or coalesce((records.payload ->> 'is_deleted')::boolean, false)
        or coalesce((variation.content ->> 'is_deleted')::boolean, false) as is_deleted,
        0::bigint as tie_rank,

        ---------- ids
        coalesce(variation.content ->> 'id', '') as source_item_id,
        coalesce(variation.content ->> 'id', '') as source_stock_item_id,
        variation.content #>> '{item_variation_data,sku}' as source_sku,
        variation.content #>> '{item_variation_data,upc}' as gtin,

        ---------- texts
        records.payload #>> '{item_data,name}' as title,
        null::text as category,
        coalesce({{ square_location_scope("variation.content") }}, {{ square_location_scope("records.payload") }})
            as location_scope,

        ---------- booleans
        not coalesce((records.payload #>> '{item_data,is_archived}')::boolean, false) as is_active,
        -- Square keeps counts unless it is told not to.
        coalesce((variation.content #>> '{item_variation_data,track_inventory}')::boolean, true) as is_stocked,
        false as is_bundle
    from records
    left join lateral jsonb_array_elements(
        case
        jsonb_typeof(records.payload #> '{item_data,variations}')
            when 'array' then records.payload #> '{item_data,variations}'
        end
    ) as variation (content) on true
)

select * from final
