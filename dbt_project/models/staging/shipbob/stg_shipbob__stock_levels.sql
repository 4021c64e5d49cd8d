with records as (
    {{ raw_records("shipbob", "stock_levels") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        coalesce(records.payload ->> 'inventory_id', records.key_text) as source_item_id,
        coalesce(place.content ->> 'location_id', '') as source_location_id,

        ---------- numerics
        coalesce({{ quantity("place.content ->> 'on_hand_quantity'") }}, 0) as on_hand_quantity,
        {{ quantity("place.content ->> 'fulfillable_quantity'") }} as available_quantity,
        coalesce({{ quantity("place.content ->> 'committed_quantity'") }}, 0) as committed_quantity,
        0::numeric as damaged_quantity,
        0::numeric as quality_control_quantity
    from records
    left join lateral jsonb_array_elements(
        case jsonb_typeof(records.payload -> 'locations') when 'array' then records.payload -> 'locations' end
    ) as place (content) on true
),

final as (
    select
        typed.*,
        -- Of two answers of one second the smaller one: understating is safe.
        -sum(typed.on_hand_quantity) over (partition by typed.system_id, typed.record_id) as tie_rank
    from typed
)

select * from final
