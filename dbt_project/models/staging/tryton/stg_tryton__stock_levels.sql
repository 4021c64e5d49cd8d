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
        -- Part of a unit cannot be sold.
        coalesce(floor((records.payload ->> 'quantity')::numeric), 0)::integer as on_hand_quantity,
        null::integer as available_quantity,
        0 as committed_quantity,
        0 as damaged_quantity,
        -- Received and not yet put away: there, but not to be sold until somebody has looked at it.
        greatest(coalesce(ceil((records.payload ->> 'input_quantity')::numeric), 0), 0)::integer
            as quality_control_quantity
    from records
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        (typed.quality_control_quantity - typed.on_hand_quantity)::bigint as tie_rank
    from typed
)

select * from final
