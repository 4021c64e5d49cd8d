with records as (
    {{ raw_records("tryton", "stock_movements") }}
),

-- A shipment to a customer is a parcel, and its done moves are what is in it; the other movements are none.
typed as (
    select
        {{ record_columns() }},
        records.payload ->> 'state' = 'done' as is_done,

        ---------- ids
        records.payload #>> '{sale,id}' as order_id,
        nullif(records.payload #>> '{sale,reference}', '') as source_reference,
        records.payload #>> '{outgoing_shipment,id}' as parcel_id,
        records.payload ->> 'id' as parcel_line_id,
        null::text as line_id,
        records.payload #>> '{product,id}' as source_item_id,
        records.payload #>> '{from_location,warehouse}' as source_location_id,

        ---------- numerics
        {{ quantity("records.payload ->> 'internal_quantity'") }} as quantity,

        ---------- texts
        -- Whoever packs types the carrier's numbers into the shipment's reference.
        (
            select coalesce(array_agg(distinct number.content order by number.content), '{}')
            from
                regexp_split_to_table(
                    coalesce(records.payload #>> '{outgoing_shipment,reference}', ''), '[[:space:],;]+'
                ) as number (content)
            where number.content <> ''
        ) as tracking_numbers,

        ---------- timestamps
        {{ tryton_time("(records.payload -> 'create_date')") }} as created_at,
        coalesce(
            {{ tryton_time("(records.payload -> 'write_date')") }},
            {{ tryton_time("(records.payload -> 'create_date')") }}
        ) as written_at
    from records
    where
        records.payload is null
        or records.payload #>> '{outgoing_shipment,id}' is not null
        and records.payload #>> '{to_location,type}' = 'customer'
),

ranked as (
    select
        typed.*,
        typed.written_at as modified_at
    from typed
),

-- A move that was taken back is in no parcel.
final as (
    select
        ranked.system_id,
        ranked.record_id,
        ranked.source_key,
        ranked.occurred_at,
        ranked.received_at,
        ranked.correlation_id,
        ranked.payload_hash,
        ranked.is_deleted,
        {{ movement_tie_rank("ranked") }} as tie_rank,
        ranked.order_id,
        ranked.source_reference,
        case when ranked.is_done then ranked.parcel_id else '' end as parcel_id,
        case when ranked.is_done then ranked.parcel_line_id else '' end as parcel_line_id,
        ranked.line_id,
        ranked.source_item_id,
        ranked.source_location_id,
        ranked.quantity,
        case when ranked.is_done then 'shipped' end as status,
        null::text as problem,
        ranked.created_at,
        ranked.written_at as shipped_at,
        null::timestamptz as delivered_at,
        null::text as carrier,
        ranked.tracking_numbers,
        null::text[] as tracking_urls
    from ranked
)

select * from final
