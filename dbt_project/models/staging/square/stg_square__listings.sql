with records as (
    {{ raw_records("square", "stock_levels") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

-- Square sells online what it counts at the listing's own place: that count is what the channel shows.
final as (
    select
        {{ record_columns() }},
        -- Two answers of one second are distinguished by their order of arrival alone: what was shown last is by nature
        -- what was seen last.
        records.record_id as tie_rank,

        ---------- ids
        split_part(records.key_text, '|', 1) as source_stock_item_id,
        split_part(records.key_text, '|', 2) as source_location_id,
        split_part(records.key_text, '|', 1) || '|' || split_part(records.key_text, '|', 2) as channel_record_id,

        ---------- numerics
        {{ quantity("records.payload ->> 'quantity'") }} as shown_available_quantity,
        {{ quantity("records.payload ->> 'quantity'") }} as shown_on_hand_quantity,
        0::numeric as allocated_quantity,

        ---------- booleans
        true as is_tracked
    from records
    where
        split_part(records.key_text, '|', 3) = 'IN_STOCK'
        and exists (
            select 1
            from channels
            where
                channels.system_id = records.system_id
                and channels.listing_location_id = split_part(records.key_text, '|', 2)
        )
)

select * from final
