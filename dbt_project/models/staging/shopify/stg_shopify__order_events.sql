with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order and one to which nothing has happened still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce(event.event_id, '') as event_id,
        event.source_reference,

        ---------- states
        event.kind,

        ---------- timestamps
        {{ moment("event.happened") }} as happened_at
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
            'fulfilled|' || (fulfillment.content ->> 'id') as event_id,
            'fulfilled' as kind,
            fulfillment.content ->> 'createdAt' as happened,
            fulfillment.content ->> 'id' as source_reference
        from jsonb_array_elements(records.payload -> 'fulfillments') as fulfillment (content)
        where fulfillment.content ->> 'status' not in ('CANCELLED', 'ERROR', 'FAILURE')
        union all
        -- Shopify says that an order was edited, not when. One edit is told from another by the units that are to be
        -- sold after it; what a refund took off is no edit.
        select
            'edited|' || md5(string_agg(sold.line_id || ':' || sold.quantity, ',' order by sold.line_id)) as event_id,
            'edited' as kind,
            records.payload ->> 'updatedAt' as happened,
            records.payload ->> 'id' as source_reference
        from (
            select
                line.content ->> 'id' as line_id,
                {{ quantity("line.content ->> 'currentQuantity'") }} + coalesce(
                    (
                        select sum({{ quantity("part.content ->> 'quantity'") }})
                        from jsonb_array_elements(records.payload -> 'refunds') as refund (content)
                        cross join
                            lateral jsonb_array_elements(
                                refund.content #> '{refundLineItems,nodes}'
                            ) as part (content)
                        where part.content #>> '{lineItem,id}' = line.content ->> 'id'
                    ),
                    0
                ) as quantity
            from jsonb_array_elements(records.payload #> '{lineItems,nodes}') as line (content)
        ) as sold
        where (records.payload ->> 'edited')::boolean
        having count(*) > 0
    ) as event on true
)

select * from final
