with records as (
    {{ raw_records("shipbob", "returns") }}
),

-- Left joins, so that a return that is gone and one without items still leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        records.key_text,
        records.payload,
        item.content as item,
        item.number as line_number,
        taken.processed_quantity,
        taken.restocked_quantity,
        taken.disposition
    from records
    left join
        lateral jsonb_array_elements(
            case jsonb_typeof(records.payload -> 'inventory') when 'array' then records.payload -> 'inventory' end
        ) with ordinality as item (content, number)
        on true
    left join lateral (
        select
            sum({{ quantity("action.content ->> 'quantity_processed'") }}) as processed_quantity,
            sum({{ quantity("action.content ->> 'quantity_processed'") }}) filter (
                where action.content ->> 'action' = 'Restock'
            ) as restocked_quantity,
            case
                when count(distinct action.content ->> 'action') > 1 then 'mixed'
                else
                    case min(action.content ->> 'action')
                        when 'Restock' then 'restocked'
                        when 'Quarantine' then 'quarantined'
                        when 'Dispose' then 'disposed'
                        else 'not_restocked'
                    end
            end as disposition
        from
            jsonb_array_elements(
                case jsonb_typeof(item.content -> 'action_taken') when 'array' then item.content -> 'action_taken' end
            ) as action (content)
        where {{ quantity("action.content ->> 'quantity_processed'") }} > 0
    ) as taken on true
),

final as (
    select
        parts.system_id,
        parts.record_id,
        parts.source_key,
        parts.occurred_at,
        parts.received_at,
        parts.correlation_id,
        parts.payload_hash,
        parts.is_deleted,
        -- A return only goes on: of two answers of one second the one with more dealt with is the later.
        coalesce(sum(parts.processed_quantity) over (partition by parts.system_id, parts.record_id), 0) as tie_rank,

        ---------- ids
        coalesce(parts.payload ->> 'id', parts.key_text) as return_id,
        parts.payload ->> 'reference_id' as return_name,
        coalesce(parts.line_number::text, '') as return_part_id,
        null::text as order_id,
        nullif(parts.payload ->> 'store_order_id', '') as origin_order_name,
        parts.payload #>> '{channel,name}' as origin_system_id,
        null::text as line_id,
        parts.item ->> 'id' as source_item_id,

        ---------- numerics
        {{ quantity("parts.item ->> 'quantity'") }} as announced_quantity,
        coalesce(parts.processed_quantity, 0) as received_quantity,
        coalesce(parts.restocked_quantity, 0) as restocked_quantity,
        0::numeric as exchanged_quantity,

        ---------- states
        case when parts.processed_quantity > 0 then parts.disposition end as disposition,
        case
            when parts.payload is null then null
            when parts.payload ->> 'status' = 'Completed' then 'closed'
            when parts.payload ->> 'status' = 'Cancelled' then 'cancelled'
            else 'open'
        end as return_status,

        ---------- timestamps
        {{ moment("parts.payload ->> 'insert_date'") }} as announced_at,
        {{ moment("coalesce(parts.payload ->> 'arrived_date', parts.payload ->> 'completed_date')") }} as arrived_at
    from parts
)

select * from final
