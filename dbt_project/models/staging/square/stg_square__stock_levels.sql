with records as (
    {{ raw_records("square", "stock_levels") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        coalesce(records.payload ->> 'catalog_object_id', split_part(records.key_text, '|', 1)) as source_item_id,
        coalesce(records.payload ->> 'location_id', split_part(records.key_text, '|', 2)) as source_location_id,

        ---------- numerics
        coalesce({{ quantity("records.payload ->> 'quantity'") }}, 0) as on_hand_quantity,
        null::numeric as available_quantity,
        0::numeric as committed_quantity,
        0::numeric as damaged_quantity,
        0::numeric as quality_control_quantity
    from records
    -- Waste and what is on its way are counts of their own, and no part of what is in stock.
    where split_part(records.key_text, '|', 3) = 'IN_STOCK'
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        -typed.on_hand_quantity as tie_rank
    from typed
)

select * from final
