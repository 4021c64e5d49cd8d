with records as (
    {{ raw_records("shipbob", "orders") }}
),

-- A shipment is a parcel. Left join, so that an order without one still leaves a row of its key.
lines as (
    select
        {{ record_columns() }},
        records.payload,
        version.tie_rank,
        part.shipment,
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
            item.content as item,
            row_number() over (order by shipment.number, product.number, item.number) as line_number
        from {{ shipbob_items("records.payload") }}
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

        ---------- ids
        lines.payload ->> 'id' as order_id,
        coalesce(nullif(lines.payload ->> 'order_number', ''), lines.payload ->> 'reference_id') as source_reference,
        coalesce(lines.shipment ->> 'id', '') as parcel_id,
        case
            when lines.line_number is null then ''
            else
                coalesce(lines.shipment ->> 'id', '') || '|' || coalesce(lines.item ->> 'id', '') || '|'
                || lines.line_number
        end as parcel_line_id,
        null::text as line_id,
        lines.item ->> 'id' as source_item_id,
        lines.shipment #>> '{location,id}' as source_location_id,

        ---------- numerics
        coalesce({{ quantity("lines.item ->> 'quantity'") }}, 0) as quantity,

        ---------- texts
        nullif(lines.shipment #>> '{tracking,carrier}', '') as carrier,
        lines.shipment ->> 'status' as shipment_status,
        (
            select string_agg(detail.content ->> 'name', ', ' order by detail.number)
            from jsonb_array_elements(
                case jsonb_typeof(lines.shipment -> 'status_details')
                    when 'array' then lines.shipment -> 'status_details'
                end
            ) with ordinality as detail (content, number)
        ) as details,
        array_remove(array[nullif(lines.shipment #>> '{tracking,tracking_number}', '')], null) as tracking_numbers,
        array_remove(array[nullif(lines.shipment #>> '{tracking,tracking_url}', '')], null) as tracking_urls,

        ---------- timestamps
        {{ moment("lines.shipment ->> 'created_date'") }} as created_at,
        {{ moment("lines.shipment ->> 'actual_fulfillment_date'") }} as left_at,
        {{ moment("lines.shipment #>> '{tracking,shipping_date}'") }} as labelled_at,
        {{ moment("lines.shipment ->> 'last_update_at'") }} as updated_at,
        {{ moment("lines.shipment ->> 'delivery_date'") }} as delivered_at,

        lines.tie_rank
    from lines
),

final as (
    select
        typed.system_id,
        typed.record_id,
        typed.source_key,
        typed.occurred_at,
        typed.received_at,
        typed.correlation_id,
        typed.payload_hash,
        typed.is_deleted,
        typed.tie_rank,
        typed.order_id,
        typed.source_reference,
        typed.parcel_id,
        typed.parcel_line_id,
        typed.line_id,
        typed.source_item_id,
        typed.source_location_id,
        typed.quantity,
        case
            when typed.shipment_status = 'Cancelled' then 'cancelled'
            when typed.delivered_at is not null then 'delivered'
            -- It has left, and the carrier brings it back.
            when typed.left_at is not null and typed.shipment_status = 'Exception' then 'returning'
            when typed.shipment_status = 'Completed' then 'in_transit'
            when typed.shipment_status = 'Exception' then 'exception'
            when typed.shipment_status = 'OnHold' then 'on_hold'
            else 'waiting'
        end as status,
        case
            when typed.shipment_status in ('Exception', 'OnHold') then coalesce(typed.details, typed.shipment_status)
        end as problem,
        typed.created_at,
        case
            when typed.shipment_status = 'Completed' or typed.left_at is not null
                then coalesce(typed.left_at, typed.labelled_at, typed.updated_at, typed.created_at)
        end as shipped_at,
        typed.delivered_at,
        typed.carrier,
        typed.tracking_numbers,
        case when cardinality(typed.tracking_urls) = cardinality(typed.tracking_numbers) then typed.tracking_urls end
            as tracking_urls
    from typed
)

select * from final
