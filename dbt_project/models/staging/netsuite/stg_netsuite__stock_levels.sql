with records as (
    {{ raw_records("netsuite", "stock_levels") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        coalesce(records.payload ->> 'item', split_part(records.key_text, '|', 1)) as source_item_id,
        coalesce(records.payload ->> 'location', split_part(records.key_text, '|', 2)) as source_location_id,

        ---------- numerics
        -- SuiteQL leaves a null figure out: nothing is there. Part of a unit cannot be sold.
        coalesce(floor((records.payload ->> 'quantityonhand')::numeric), 0)::integer as on_hand_quantity,
        floor((records.payload ->> 'quantityavailable')::numeric)::integer as available_quantity,
        coalesce(ceil((records.payload ->> 'quantitycommitted')::numeric), 0)::integer as committed_quantity,
        0 as damaged_quantity,
        0 as quality_control_quantity
    from records
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        -typed.on_hand_quantity::bigint as tie_rank
    from typed
)

select * from final
