with records as (
    {{ raw_records("netsuite", "stock_movements") }}
),

-- An item fulfilment is a parcel, and its lines are movements; the other movements are none.
typed as (
    select
        {{ record_columns() }},

        ---------- ids
        records.payload ->> 'createdfrom' as order_id,
        records.payload ->> 'otherrefnum' as source_reference,
        coalesce(records.payload ->> 'transaction', '') as parcel_id,
        coalesce(records.payload ->> 'uniquekey', '') as parcel_line_id,
        null::text as line_id,
        records.payload ->> 'item' as source_item_id,
        records.payload ->> 'location' as source_location_id,

        ---------- numerics
        -- What leaves a location is negative there.
        -{{ quantity("records.payload ->> 'quantity'") }} as quantity,

        ---------- texts
        case when records.payload is not null then 'shipped' end as status,
        null::text as problem,
        null::text as carrier,
        (
            select coalesce(array_agg(distinct number.content order by number.content), '{}')
            from unnest(string_to_array(coalesce(records.payload ->> 'trackingnumbers', ''), ' ')) as number (content)
            where number.content <> ''
        ) as tracking_numbers,
        null::text[] as tracking_urls,

        ---------- timestamps
        {{ moment("records.payload ->> 'createddate'") }} as created_at,
        {{ moment("records.payload ->> 'createddate'") }} as shipped_at,
        null::timestamptz as delivered_at,
        {{ moment("records.payload ->> 'lastmodifieddate'") }} as modified_at
    from records
    where records.payload is null or records.payload ->> 'type' = 'ItemShip'
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
        {{ movement_tie_rank("typed") }} as tie_rank,
        typed.order_id,
        typed.source_reference,
        typed.parcel_id,
        typed.parcel_line_id,
        typed.line_id,
        typed.source_item_id,
        typed.source_location_id,
        typed.quantity,
        typed.status,
        typed.problem,
        typed.created_at,
        typed.shipped_at,
        typed.delivered_at,
        typed.carrier,
        typed.tracking_numbers,
        typed.tracking_urls
    from typed
)

select * from final
