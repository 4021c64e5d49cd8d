with records as (
    {{ raw_records("bigcommerce", "listings") }}
),

final as (
    select
        {{ record_columns() }},
        -- Stock tells no time, so two answers of one second are distinguished by their order of arrival alone: what was
        -- shown last is by nature what was seen last.
        records.record_id as tie_rank,

        ---------- ids
        split_part(records.key_text, '|', 1) as source_stock_item_id,
        split_part(records.key_text, '|', 2) as source_location_id,
        records.key_text as channel_record_id,

        ---------- numerics
        {{ quantity("records.payload #>> '{location,available_to_sell}'") }} as shown_available_quantity,
        {{ quantity("records.payload #>> '{location,total_inventory_onhand}'") }} as shown_on_hand_quantity,
        0::numeric as allocated_quantity,

        ---------- booleans
        -- What is not tracked has no stock here at all.
        records.payload is not null as is_tracked
    from records
)

select * from final
