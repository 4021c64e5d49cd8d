with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

-- Left join, so that a deleted order and one of which nothing was sent still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce('fulfilled|' || (shipment.content ->> 'id'), '') as event_id,
        shipment.content ->> 'id' as source_reference,

        ---------- states
        case when shipment.content is not null then 'fulfilled' end as kind,

        ---------- timestamps
        {{ moment("shipment.content ->> 'date_created'") }} as happened_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral {{ items_of("records.payload", "shipments") }} as shipment (content) on true
)

select * from final
