with parcels as not materialized (
    select * from {{ ref("parcels") }}
),

final as (
    select
        parcels.parcel_id,
        tracking.number as tracking_number,
        parcels.reported_as,
        parcels.order_id,
        parcels.order_name,
        parcels.carrier,
        parcels.tracking_urls[tracking.position] as tracking_url,
        parcels.build_id
    from parcels
    cross join lateral unnest(parcels.tracking_numbers) with ordinality as tracking (number, position)
)

select * from final
