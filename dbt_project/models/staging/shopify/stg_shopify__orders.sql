with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order and one without lines still leave a row of their key.
lines as (
    select
        {{ record_columns() }},
        records.payload ->> 'id' as order_id,
        records.payload ->> 'name' as own_order_name,
        records.payload ->> 'cancelledAt' is not null or coalesce((records.payload ->> 'test')::boolean, false)
            as is_cancelled,
        {{ moment("records.payload ->> 'createdAt'") }} as ordered_at,
        records.payload -> 'fulfillments' as fulfillments,
        line.content as line
    from records
    left join lateral jsonb_array_elements(records.payload #> '{lineItems,nodes}') as line (content) on true
),

typed as (
    select
        lines.system_id,
        lines.record_id,
        lines.source_key,
        lines.occurred_at,
        lines.received_at,
        lines.correlation_id,
        lines.payload_hash,
        lines.is_deleted,

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
),

final as (
    select
        typed.*,
        -- An order only goes on: of two answers of one second the one that still holds less is the later.
        -sum(case when typed.is_cancelled then 0 else typed.committed_quantity end)
            over (partition by typed.system_id, typed.record_id) as tie_rank
    from typed
)

select * from final
