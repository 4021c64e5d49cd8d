with records as (
    {{ raw_records("vendure", "listings") }}
),

-- The shop sells from all stock locations of its sales channel together: what it shows is their sum.
summed as (
    select
        records.record_id,
        records.system_id,
        sum((level.content ->> 'stockOnHand')::integer)::integer as on_hand_quantity,
        sum((level.content ->> 'stockAllocated')::integer)::integer as allocated_quantity
    from records
    cross join lateral jsonb_array_elements(records.payload -> 'stockLevels') as level (content)
    group by records.record_id, records.system_id
),

final as (
    select
        {{ record_columns() }},
        -- updatedAt stands still when an order allocates, so two answers of one second are told apart by their order of
        -- arrival alone: what was shown last is by nature what was seen last.
        records.record_id as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', split_part(records.key_text, '|', 1)) as source_stock_item_id,
        split_part(records.key_text, '|', 2) as source_location_id,
        records.key_text as channel_record_id,

        ---------- numerics
        coalesce(summed.on_hand_quantity, 0) - coalesce(summed.allocated_quantity, 0) as shown_available_quantity,
        coalesce(summed.on_hand_quantity, 0) as shown_on_hand_quantity,
        coalesce(summed.allocated_quantity, 0) as allocated_quantity,

        ---------- booleans
        coalesce(
            records.payload ->> 'trackInventory' <> 'FALSE'
            and (records.payload ->> 'enabled')::boolean
            and (records.payload #>> '{product,enabled}')::boolean,
            false
        ) as is_tracked
    from records
    left join summed on records.system_id = summed.system_id and records.record_id = summed.record_id
)

select * from final
