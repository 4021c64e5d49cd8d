with records as (
    {{ raw_records("shipbob", "orders") }}
),

-- What is in a shipment has a place and an item; before there is one, the order's products are all there is.
lines as (
    select
        {{ record_columns() }},
        records.payload,
        version.tie_rank,
        part.shipment,
        part.product,
        part.item,
        part.line_number
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shipbob_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        select
            shipment.content as shipment,
            product.content as product,
            item.content as item,
            row_number() over (order by shipment.number, product.number, item.number) as line_number
        from {{ shipbob_items("records.payload") }}
        union all
        select
            null as shipment,
            product.content as product,
            null as item,
            product.number as line_number
        from
            jsonb_array_elements(
                case jsonb_typeof(records.payload -> 'products') when 'array' then records.payload -> 'products' end
            ) with ordinality as product (content, number)
        where coalesce(jsonb_array_length(nullif(records.payload -> 'shipments', 'null'::jsonb)), 0) = 0
    ) as part on true
),

typed as (
    select
        lines.system_id,
        lines.record_id,
        lines.source_key,
        lines.occurred_at,
        lines.received_at,
        lines.correlation_id,
        lines.payload_hash,
        lines.is_deleted,
        lines.tie_rank,

        ---------- ids
        lines.payload ->> 'id' as order_id,
        coalesce(nullif(lines.payload ->> 'order_number', ''), lines.payload ->> 'reference_id') as own_order_name,
        coalesce(nullif(lines.payload ->> 'order_number', ''), lines.payload ->> 'reference_id') as origin_order_name,
        lines.payload #>> '{channel,name}' as origin_system_id,
        case
            when lines.line_number is null then ''
            else
                coalesce(lines.shipment ->> 'id', 'order') || '|' || coalesce(lines.product ->> 'id', '') || '|'
                || coalesce(lines.item ->> 'id', '') || '|' || lines.line_number
        end as line_id,
        lines.item ->> 'id' as source_item_id,
        lines.product ->> 'sku' as source_code,
        lines.shipment #>> '{location,id}' as source_location_id,

        ---------- numerics
        coalesce({{ quantity("coalesce(lines.item, lines.product) ->> 'quantity'") }}, 0) as ordered_quantity,
        case
            when lines.shipment ->> 'status' = 'Completed'
                then coalesce({{ quantity("lines.item ->> 'quantity'") }}, 0)
            else 0
        end as shipped_quantity,

        ---------- booleans
        coalesce(lines.shipment ->> 'status' = 'Cancelled' or lines.payload ->> 'status' = 'Cancelled', false)
            as is_cancelled,

        ---------- timestamps
        {{ moment("coalesce(lines.payload ->> 'purchase_date', lines.payload ->> 'created_date')") }}
            as ordered_at
    from lines
),

final as (
    select
        typed.*,
        typed.ordered_quantity as committed_quantity
    from typed
)

select * from final
