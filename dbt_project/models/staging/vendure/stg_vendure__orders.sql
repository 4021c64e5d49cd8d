with records as (
    {{ raw_records("vendure", "orders") }}
),

-- Left join, so that a deleted order and one without lines still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        records.payload ->> 'id' as order_id,
        records.payload ->> 'code' as own_order_name,
        null::text as origin_order_name,
        null::text as origin_system_id,
        coalesce(line.content ->> 'id', '') as line_id,
        line.content #>> '{productVariant,id}' as source_item_id,
        line.content #>> '{productVariant,sku}' as source_code,
        null::text as source_location_id,

        ---------- numerics
        greatest(
            coalesce({{ quantity("line.content ->> 'orderPlacedQuantity'") }}, 0),
            coalesce({{ quantity("line.content ->> 'quantity'") }}, 0)
        ) as ordered_quantity,
        -- Units cancelled on a line are gone from its quantity, those that were fulfilled are still in it.
        coalesce({{ quantity("line.content ->> 'quantity'") }}, 0) as committed_quantity,
        0::numeric as shipped_quantity,

        ---------- booleans
        coalesce(records.payload ->> 'state' = 'Cancelled', false) as is_cancelled,

        ---------- timestamps
        {{ moment("coalesce(records.payload ->> 'orderPlacedAt', records.payload ->> 'createdAt')") }}
            as ordered_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral jsonb_array_elements(records.payload -> 'lines') as line (content) on true
)

select * from final
