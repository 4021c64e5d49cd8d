with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

-- Left join, so that a deleted order and one of which nothing was reported still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        records.payload ->> 'id' as order_id,
        records.payload ->> 'id' as source_reference,
        coalesce(part.parcel ->> 'id', '') as parcel_id,
        coalesce((part.parcel ->> 'id') || '|' || (part.line ->> 'order_product_id'), '') as parcel_line_id,
        part.line ->> 'order_product_id' as line_id,
        null::text as source_item_id,
        -- A shipment names no location; one that Trueup reported says it in its comments.
        part.parcel ->> 'shipped_from' as source_location_id,

        ---------- numerics
        coalesce(part.quantity, 0) as quantity,

        ---------- texts
        case when part.parcel is not null then 'shipped' end as status,
        null::text as problem,

        ---------- timestamps
        {{ moment("part.parcel ->> 'date_created'") }} as created_at,
        {{ moment("part.parcel ->> 'date_created'") }} as shipped_at,
        null::timestamptz as delivered_at,

        ---------- tracking
        coalesce(
            nullif(part.parcel ->> 'tracking_carrier', ''),
            nullif(part.parcel ->> 'shipping_provider', ''),
            nullif(part.parcel ->> 'shipping_method', '')
        ) as carrier,
        coalesce(tracking.numbers, '{}') as tracking_numbers,
        case when cardinality(tracking.numbers) = 1 and tracking.url is not null then array[tracking.url] end
            as tracking_urls
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        select
            parcel.content as parcel,
            min(line.content::text)::jsonb as line,
            sum({{ quantity("line.content ->> 'quantity'") }}) as quantity
        from {{ items_of("records.payload", "shipments") }} as parcel (content)
        cross join lateral {{ items_of("parcel.content", "items") }} as line (content)
        group by parcel.content, line.content ->> 'order_product_id'
    ) as part on true
    left join lateral (
        select
            array_agg(distinct told.number order by told.number) as numbers,
            coalesce(
                nullif(part.parcel ->> 'tracking_link', ''), nullif(part.parcel ->> 'generated_tracking_link', '')
            ) as url
        from (
            select nullif(part.parcel ->> 'tracking_number', '') as number
            union all
            select further.number
            from jsonb_array_elements_text(
                case jsonb_typeof(part.parcel -> 'further_tracking_numbers')
                    when 'array' then part.parcel -> 'further_tracking_numbers'
                end
            ) as further (number)
        ) as told
        where told.number is not null
    ) as tracking on true
)

select * from final
