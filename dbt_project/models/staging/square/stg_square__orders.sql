with records as (
    {{ raw_records("square", "orders") }}
),

-- Left join, so that a deleted order and one without lines (a return) still leave a row of their key.
lines as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload,
        line.content as line
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral jsonb_array_elements(
        case jsonb_typeof(records.payload -> 'line_items') when 'array' then records.payload -> 'line_items' end
    ) as line (content) on true
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
        lines.payload ->> 'id' as order_id,
        coalesce(nullif(lines.payload ->> 'reference_id', ''), lines.payload ->> 'id') as own_order_name,
        null::text as origin_order_name,
        null::text as origin_system_id,
        coalesce(lines.line ->> 'uid', '') as line_id,
        lines.line ->> 'catalog_object_id' as source_item_id,
        -- A note is free text of any length; no code is that long.
        left(coalesce(nullif(lines.line ->> 'note', ''), lines.line ->> 'name'), 250) as source_code,
        lines.payload ->> 'location_id' as source_location_id,

        ---------- numerics
        coalesce({{ quantity("lines.line ->> 'quantity'") }}, 0) as ordered_quantity,
        0::numeric as shipped_quantity,
        -- Square takes no units off a paid order: what will not be shipped is an entry of a cancelled fulfilment.
        greatest(
            coalesce({{ quantity("lines.line ->> 'quantity'") }}, 0) - coalesce(
                (
                    select sum({{ quantity("entry.content ->> 'quantity'") }})
                    from
                        jsonb_array_elements(
                            case
                            jsonb_typeof(lines.payload -> 'fulfillments')
                                when 'array' then lines.payload -> 'fulfillments'
                            end
                        ) as fulfillment (content)
                    cross join
                        lateral jsonb_array_elements(
                            case
                            jsonb_typeof(fulfillment.content -> 'entries')
                                when 'array' then fulfillment.content -> 'entries'
                            end
                        ) as entry (content)
                    where
                        fulfillment.content ->> 'state' in ('CANCELED', 'FAILED')
                        and entry.content ->> 'line_item_uid' = lines.line ->> 'uid'
                ),
                0
            ),
            0
        ) as committed_quantity,

        ---------- booleans
        coalesce(lines.payload ->> 'state' in ('CANCELED', 'DRAFT'), false) as is_cancelled,

        ---------- timestamps
        {{ moment("lines.payload ->> 'created_at'") }} as ordered_at
    from lines
)

select * from final
