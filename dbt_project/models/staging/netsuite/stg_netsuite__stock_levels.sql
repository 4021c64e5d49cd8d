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
        -- SuiteQL leaves a null figure out: nothing is there.
        coalesce({{ quantity("records.payload ->> 'quantityonhand'") }}, 0) as on_hand_quantity,
        {{ quantity("records.payload ->> 'quantityavailable'") }} as available_quantity,
        coalesce({{ quantity("records.payload ->> 'quantitycommitted'") }}, 0) as committed_quantity,
        0::numeric as damaged_quantity,
        0::numeric as quality_control_quantity
    from records
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        -typed.on_hand_quantity as tie_rank
    from typed
)

select * from final
