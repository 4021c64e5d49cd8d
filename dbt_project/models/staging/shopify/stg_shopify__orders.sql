with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order and one without lines still leave a row of their key.
lines as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload ->> 'id' as order_id,
        records.payload ->> 'name' as own_order_name,
        records.payload ->> 'cancelledAt' is not null or coalesce((records.payload ->> 'test')::boolean, false)
            as is_cancelled,
        {{ moment("records.payload ->> 'createdAt'") }} as ordered_at,
        records.payload -> 'fulfillments' as fulfillments,
        line.content as line
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral jsonb_array_elements(records.payload #> '{lineItems,nodes}') as line (content) on true
),

final as (
    select
        lines.system_id,
        lines.record_id,
        lines.source_key,
        lines.occurred_at,
        lines.received_at,
        lines.correlation_id,
        lines.payload_hash,
        lines.is_deleted,
        lines.tie_rank,

        ---------- ids
        lines.order_id,
        lines.own_order_name,
        null::text as origin_order_name,
        null::text as origin_system_id,
        coalesce(lines.line ->> 'id', '') as line_id,
        lines.line #>> '{variant,id}' as source_item_id,
        left(coalesce(nullif(lines.line ->> 'sku', ''), lines.line ->> 'name'), 250) as source_code,
        null::text as source_location_id,

        ---------- numerics
        coalesce({{ quantity("lines.line ->> 'quantity'") }}, 0) as ordered_quantity,
        0::numeric as shipped_quantity,
        -- What has left or is still to leave: units refunded after they were fulfilled did leave, units removed before
        -- will not.
        least(
            coalesce({{ quantity("lines.line ->> 'quantity'") }}, 0),
            coalesce({{ quantity("lines.line ->> 'unfulfilledQuantity'") }}, 0) + coalesce(
                (
                    select sum({{ quantity("part.content ->> 'quantity'") }})
                    from jsonb_array_elements(lines.fulfillments) as fulfillment (content)
                    cross join
                        lateral jsonb_array_elements(
                            fulfillment.content #> '{fulfillmentLineItems,nodes}'
                        ) as part (content)
                    where
                        fulfillment.content ->> 'status' not in ('CANCELLED', 'ERROR', 'FAILURE')
                        and part.content #>> '{lineItem,id}' = lines.line ->> 'id'
                ),
                0
            )
        ) as committed_quantity,

        ---------- booleans
        lines.is_cancelled,

        ---------- timestamps
        lines.ordered_at
    from lines
)

select * from final
