with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order and one of which nothing was reported still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        records.payload ->> 'id' as order_id,
        records.payload ->> 'name' as source_reference,
        coalesce(part.parcel ->> 'id', '') as parcel_id,
        coalesce(part.line ->> 'id', '') as parcel_line_id,
        part.line #>> '{lineItem,id}' as line_id,
        null::text as source_item_id,
        part.parcel #>> '{location,id}' as source_location_id,

        ---------- numerics
        coalesce({{ quantity("part.line ->> 'quantity'") }}, 0) as quantity,

        ---------- texts
        case
            when part.parcel is null then null
            when part.parcel ->> 'status' in ('CANCELLED', 'ERROR', 'FAILURE') then 'cancelled'
            else 'shipped'
        end as status,
        null::text as problem,

        ---------- timestamps
        {{ moment("part.parcel ->> 'createdAt'") }} as created_at,
        {{ moment("part.parcel ->> 'createdAt'") }} as shipped_at,
        null::timestamptz as delivered_at,

        ---------- tracking
        tracking.carrier,
        coalesce(tracking.numbers, '{}') as tracking_numbers,
        case when cardinality(tracking.urls) = cardinality(tracking.numbers) then tracking.urls end as tracking_urls
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        select
            parcel.content as parcel,
            line.content as line
        from jsonb_array_elements(records.payload -> 'fulfillments') as parcel (content)
        cross join
            lateral jsonb_array_elements(parcel.content #> '{fulfillmentLineItems,nodes}') as line (content)
    ) as part on true
    left join lateral (
        select
            min(nullif(told.content ->> 'company', '')) as carrier,
            array_agg(distinct told.content ->> 'number' order by told.content ->> 'number') filter (
                where told.content ->> 'number' <> ''
            ) as numbers,
            array_agg(distinct told.content ->> 'url' order by told.content ->> 'url') filter (
                where told.content ->> 'url' <> ''
            ) as urls
        from jsonb_array_elements(
            case jsonb_typeof(part.parcel -> 'trackingInfo') when 'array' then part.parcel -> 'trackingInfo' end
        ) as told (content)
    ) as tracking on true
)

select * from final
