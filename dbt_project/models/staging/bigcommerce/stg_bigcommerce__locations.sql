with records as (
    {{ raw_records("bigcommerce", "locations") }}
),

final as (
    select
        {{ record_columns() }},
        0::bigint as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as source_location_id,

        ---------- texts
        records.payload ->> 'label' as location_name,

        ---------- booleans
        coalesce((records.payload ->> 'enabled')::boolean, false) as is_active
    from records
)

select * from final
