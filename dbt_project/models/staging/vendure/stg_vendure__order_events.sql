with records as (
    {{ raw_records("vendure", "orders") }}
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
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        -- Vendure does not say when a parcel left, only when it was planned.
        select
            'fulfilled|' || (sent.content ->> 'id') as event_id,
            'fulfilled' as kind,
            sent.content ->> 'createdAt' as happened,
            sent.content ->> 'id' as source_reference
        from {{ items_of("records.payload", "fulfillments") }} as sent (content)
        where sent.content ->> 'state' in ('Shipped', 'Delivered')
        union all
        select
            'edited|' || (change.content ->> 'id') as event_id,
            'edited' as kind,
            change.content ->> 'createdAt' as happened,
            change.content ->> 'id' as source_reference
        from {{ items_of("records.payload", "modifications") }} as change (content)
        union all
        -- Units cancelled beside that: one time is told from another by the units that are left after it.
        select
            'edited|' || md5(string_agg(left_over.line_id || ':' || left_over.quantity, ',' order by left_over.line_id))
                as event_id,
            'edited' as kind,
            records.payload ->> 'updatedAt' as happened,
            records.payload ->> 'id' as source_reference
        from (
            select
                line.content ->> 'id' as line_id,
                {{ quantity("line.content ->> 'quantity'") }} as quantity,
                {{ quantity("line.content ->> 'orderPlacedQuantity'") }} + coalesce(
                    (
                        select sum({{ quantity("part.content ->> 'quantity'") }})
                        from {{ items_of("records.payload", "modifications") }} as change (content)
                        cross join lateral {{ items_of("change.content", "lines") }} as part (content)
                        where part.content ->> 'orderLineId' = line.content ->> 'id'
                    ),
                    0
                ) as known_quantity
            from {{ items_of("records.payload", "lines") }} as line (content)
        ) as left_over
        where records.payload ->> 'state' <> 'Cancelled'
        having bool_or(left_over.quantity < left_over.known_quantity)
    ) as event on true
)

select * from final
