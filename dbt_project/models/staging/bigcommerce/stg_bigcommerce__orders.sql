with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

-- Left join, so that a deleted order and one without lines still leave a row of their key.
lines as (
    select
        {{ record_columns() }},
        records.payload ->> 'id' as order_id,
        version.tie_rank,
        {{ is_bigcommerce_cancelled("records.payload") }} as is_cancelled,
        {{ moment("records.payload ->> 'date_created'") }} as ordered_at,
        line.content as line,
        coalesce({{ quantity("line.content ->> 'quantity'") }}, 0) as ordered_quantity,
        coalesce({{ quantity("line.content ->> 'quantity_shipped'") }}, 0) as reported_shipped_quantity,
        coalesce({{ quantity("line.content ->> 'quantity_refunded'") }}, 0) as refunded_quantity
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral jsonb_array_elements(records.payload -> 'lines') as line (content) on true
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
        lines.order_id as own_order_name,
        null::text as origin_order_name,
        null::text as origin_system_id,
        coalesce(lines.line ->> 'id', '') as line_id,
        -- 0 is a line that is no product of the catalog.
        nullif(lines.line ->> 'variant_id', '0') as source_item_id,
        left(coalesce(nullif(lines.line ->> 'sku', ''), lines.line ->> 'name'), 250) as source_code,
        null::text as source_location_id,

        ---------- numerics
        lines.ordered_quantity,
        0::numeric as shipped_quantity,
        -- What has left or is still to leave: units refunded after they were shipped did leave, those before will not.
        greatest(lines.ordered_quantity - lines.refunded_quantity, lines.reported_shipped_quantity)
            as committed_quantity,

        ---------- booleans
        lines.is_cancelled,

        ---------- timestamps
        lines.ordered_at
    from lines
)

select * from final
