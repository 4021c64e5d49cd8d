with records as (
    {{ raw_records("vendure", "listings") }}
),

-- The shop sells from all stock locations of its sales channel together: what it shows is their sum.
summed as (
    select
        {{ record_columns() }},
        records.key_text,
        records.payload,
        (
            select coalesce(sum({{ quantity("level.content ->> 'stockOnHand'") }}), 0)
            from jsonb_array_elements(records.payload -> 'stockLevels') as level (content)
        ) as on_hand_quantity,
        (
            select coalesce(sum({{ quantity("level.content ->> 'stockAllocated'") }}), 0)
            from jsonb_array_elements(records.payload -> 'stockLevels') as level (content)
        ) as allocated_quantity
    from records
),

final as (
    select
        summed.system_id,
        summed.record_id,
        summed.source_key,
        summed.occurred_at,
        summed.received_at,
        summed.correlation_id,
        summed.payload_hash,
        summed.is_deleted,
        -- updatedAt stands still when an order allocates, so two answers of one second are told apart by their order of
        -- arrival alone: what was shown last is by nature what was seen last.
        summed.record_id as tie_rank,

        ---------- ids
        coalesce(summed.payload ->> 'id', split_part(summed.key_text, '|', 1)) as source_stock_item_id,
        split_part(summed.key_text, '|', 2) as source_location_id,
        summed.key_text as channel_record_id,

        ---------- numerics
        summed.on_hand_quantity - summed.allocated_quantity as shown_available_quantity,
        summed.on_hand_quantity as shown_on_hand_quantity,
        summed.allocated_quantity,

        ---------- booleans
        coalesce(
            summed.payload ->> 'trackInventory' <> 'FALSE'
            and (summed.payload ->> 'enabled')::boolean
            and (summed.payload #>> '{product,enabled}')::boolean,
            false
        ) as is_tracked
    from summed
)

select * from final
