with records as (
    {{ raw_records("shopify", "returns") }}
),

-- What became of the goods of each line of a parcel.
dispositions as (
    select
        records.system_id,
        records.record_id,
        back.content #>> '{fulfillmentLineItem,id}' as parcel_line_id,
        sum({{ quantity("disposition.content ->> 'quantity'") }}) filter (
            where disposition.content ->> 'type' = 'RESTOCKED'
        ) as restocked_quantity,
        sum({{ quantity("disposition.content ->> 'quantity'") }}) filter (
            where disposition.content ->> 'type' in ('RESTOCKED', 'NOT_RESTOCKED')
        ) as arrived_quantity,
        case
            when count(distinct disposition.content ->> 'type') > 1 then 'mixed'
            else min(lower(disposition.content ->> 'type'))
        end as disposition,
        min({{ moment("disposition.content ->> 'createdAt'") }}) as arrived_at
    from records
    cross join
        lateral jsonb_array_elements(records.payload #> '{reverseFulfillmentOrders,nodes}') as way (content)
    cross join lateral jsonb_array_elements(way.content #> '{lineItems,nodes}') as back (content)
    cross join lateral jsonb_array_elements(back.content -> 'dispositions') as disposition (content)
    group by records.system_id, records.record_id, back.content #>> '{fulfillmentLineItem,id}'
),

-- Left joins, so that a return that is gone and one without lines still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        -- A return only goes on: of two answers of one second the one with more dealt with is the later.
        coalesce(
            (
                select sum({{ quantity("dealt_with.content ->> 'processedQuantity'") }})
                from jsonb_array_elements(records.payload #> '{returnLineItems,nodes}') as dealt_with (content)
            ),
            0
        ) as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as return_id,
        records.payload ->> 'name' as return_name,
        coalesce(line.content ->> 'id', '') as return_part_id,
        records.payload #>> '{order,id}' as order_id,
        null::text as origin_order_name,
        null::text as origin_system_id,
        line.content #>> '{fulfillmentLineItem,lineItem,id}' as line_id,
        null::text as source_item_id,

        ---------- numerics
        {{ quantity("line.content ->> 'quantity'") }} as announced_quantity,
        coalesce(dispositions.arrived_quantity, 0) as received_quantity,
        coalesce(dispositions.restocked_quantity, 0) as restocked_quantity,
        coalesce(
            (
                select sum({{ quantity("exchange.content ->> 'quantity'") }})
                from jsonb_array_elements(records.payload #> '{exchangeLineItems,nodes}') as exchange (content)
            ),
            0
        ) as exchanged_quantity,

        ---------- states
        dispositions.disposition,
        case records.payload ->> 'status'
            when 'REQUESTED' then 'requested'
            when 'OPEN' then 'open'
            when 'CLOSED' then 'closed'
            when 'CANCELED' then 'cancelled'
            when 'DECLINED' then 'cancelled'
        end as return_status,

        ---------- timestamps
        {{ moment("records.payload ->> 'createdAt'") }} as announced_at,
        dispositions.arrived_at
    from records
    left join
        lateral jsonb_array_elements(records.payload #> '{returnLineItems,nodes}') as line (content)
        on true
    left join dispositions
        on
            records.system_id = dispositions.system_id
            and records.record_id = dispositions.record_id
            and line.content #>> '{fulfillmentLineItem,id}' = dispositions.parcel_line_id
)

select * from final
