with records as (
    {{ raw_records("vendure", "orders") }}
),

-- Left join, so that a deleted order and one of which nothing was reported still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        records.payload ->> 'id' as order_id,
        records.payload ->> 'code' as source_reference,
        coalesce(part.parcel ->> 'id', '') as parcel_id,
        coalesce((part.parcel ->> 'id') || '|' || part.line_number, '') as parcel_line_id,
        part.line ->> 'orderLineId' as line_id,
        null::text as source_item_id,
        -- A fulfilment names no stock location.
        null::text as source_location_id,

        ---------- numerics
        coalesce({{ quantity("part.line ->> 'quantity'") }}, 0) as quantity,

        ---------- texts
        case part.parcel ->> 'state'
            when 'Shipped' then 'shipped'
            when 'Delivered' then 'delivered'
            when 'Cancelled' then 'cancelled'
            else case when part.parcel is not null then 'waiting' end
        end as status,
        null::text as problem,

        ---------- timestamps
        {{ moment("part.parcel ->> 'createdAt'") }} as created_at,
        case
            when part.parcel ->> 'state' in ('Shipped', 'Delivered') then {{ moment("part.parcel ->> 'createdAt'") }}
        end as shipped_at,
        case
            when part.parcel ->> 'state' = 'Delivered' then {{ moment("part.parcel ->> 'updatedAt'") }}
        end as delivered_at,

        ---------- tracking
        -- Without the id that a parcel of ours bears where no number tells it (writers/parcels.py).
        nullif(regexp_replace(part.parcel ->> 'method', '\s*\[[^\]|]+\|[^\]]*\]$', ''), '') as carrier,
        coalesce(tracking.numbers, '{}') as tracking_numbers,
        null::text[] as tracking_urls
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        select
            parcel.content as parcel,
            line.content as line,
            line.number as line_number
        from {{ items_of("records.payload", "fulfillments") }} as parcel (content)
        cross join lateral {{ items_of("parcel.content", "lines") }} with ordinality as line (content, number)
    ) as part on true
    left join lateral (
        select array_agg(distinct told.number order by told.number) filter (where told.number <> '') as numbers
        from {{ vendure_numbers("part.parcel ->> 'trackingCode'") }} as told (number)
    ) as tracking on true
)

select * from final
