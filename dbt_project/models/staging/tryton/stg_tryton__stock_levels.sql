with records as (
    {{ raw_records("tryton", "stock_levels") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        coalesce(records.payload ->> 'id', split_part(records.key_text, '|', 1)) as source_item_id,
        coalesce(records.payload ->> 'warehouse', split_part(records.key_text, '|', 2)) as source_location_id,

        ---------- numerics
        coalesce({{ quantity("records.payload ->> 'quantity'") }}, 0) as on_hand_quantity,
        null::numeric as available_quantity,
        0::numeric as committed_quantity,
        0::numeric as damaged_quantity,
        -- Received and not yet put away: there, but not to be sold until somebody has looked at it.
        greatest(coalesce({{ quantity("records.payload ->> 'input_quantity'") }}, 0), 0)
            as quality_control_quantity
    from records
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        typed.quality_control_quantity - typed.on_hand_quantity as tie_rank
    from typed
)

select * from final
