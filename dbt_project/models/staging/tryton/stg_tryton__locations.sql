with records as (
    {{ raw_records("tryton", "locations") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_location_id,

        ---------- texts
        records.payload ->> 'name' as location_name,

        ---------- booleans
        -- What holds stock for us is a warehouse; the places inside it are its own affair.
        coalesce((records.payload ->> 'active')::boolean and records.payload ->> 'type' = 'warehouse', false)
            as is_active
    from records
)

select * from final
