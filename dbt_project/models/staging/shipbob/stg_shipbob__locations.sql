with records as (
    {{ raw_records("shipbob", "locations") }}
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
        coalesce((records.payload ->> 'is_active')::boolean, true) as is_active
    from records
)

select * from final
