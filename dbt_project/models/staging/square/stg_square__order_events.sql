with records as (
    {{ raw_records("square", "orders") }}
),

-- Left join, so that a deleted order and one of which nothing has left still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce('fulfilled|' || fulfillment.number, '') as event_id,
        fulfillment.content ->> 'uid' as source_reference,

        ---------- states
        case when fulfillment.content is not null then 'fulfilled' end as kind,

        ---------- timestamps
        {{ moment("fulfillment.content #>> '{shipment_details,shipped_at}'") }} as happened_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral {{ items_of("records.payload", "fulfillments") }} with ordinality as fulfillment (content, number)
        on
            fulfillment.content ->> 'state' = 'COMPLETED'
            and fulfillment.content #>> '{shipment_details,shipped_at}' is not null
)

select * from final
