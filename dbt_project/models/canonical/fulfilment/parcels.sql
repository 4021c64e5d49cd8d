with parcel_lines as not materialized (
    select * from {{ ref("parcel_lines") }}
),

by_product as (
    select
        order_name,
        parcel_id,
        sku,
        sum(quantity) as quantity
    from parcel_lines
    where sku is not null
    group by order_name, parcel_id, sku
),

contents as (
    select
        order_name,
        parcel_id,
        jsonb_object_agg(sku, trim_scale(quantity)) as units
    from by_product
    group by order_name, parcel_id
),

-- A set: the lines of a parcel may be of versions that know more or fewer of its numbers.
trackings as (
    select
        parcel_lines.order_name,
        parcel_lines.parcel_id,
        array_agg(distinct number.content order by number.content) as tracking_numbers
    from parcel_lines
    cross join lateral unnest(parcel_lines.tracking_numbers) as number (content)
    group by parcel_lines.order_name, parcel_lines.parcel_id
),

headed as (
    select
        parcel_id,
        reported_as,
        order_id,
        owner_system_id,
        order_name,
        system_id,
        source_parcel_id,
        min(source_location_id) as source_location_id,
        min(location_id) as location_id,
        -- The furthest that any of its lines has come: states move forward only.
        (
            array_agg(
                status
                order by
                    array_position(
                        array['delivered', 'returning', 'in_transit', 'shipped', 'exception', 'on_hold', 'waiting'],
                        status
                    )
            )
        )[1] as status,
        min(problem) as problem,
        sum(quantity) as quantity,
        count(*) filter (where sku is null) as unknown_line_count,
        min(created_at) as created_at,
        min(shipped_at) as shipped_at,
        min(delivered_at) as delivered_at,
        min(carrier) as carrier,
        min(tracking_urls) as tracking_urls,
        max(received_at) as received_at,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from parcel_lines
    group by parcel_id, reported_as, order_id, owner_system_id, order_name, system_id, source_parcel_id
),

final as (
    select
        headed.parcel_id,
        headed.reported_as,
        headed.order_id,
        headed.owner_system_id,
        headed.order_name,
        headed.system_id,
        headed.source_parcel_id,
        headed.source_location_id,
        headed.location_id,
        headed.status,
        headed.problem,
        headed.quantity,
        coalesce(contents.units, '{}') as units,
        headed.unknown_line_count,
        headed.created_at,
        headed.shipped_at,
        headed.delivered_at,
        headed.carrier,
        coalesce(trackings.tracking_numbers, '{}') as tracking_numbers,
        case
            when cardinality(headed.tracking_urls) = cardinality(trackings.tracking_numbers) then headed.tracking_urls
        end as tracking_urls,
        headed.received_at,
        headed.record_id,
        headed.correlation_id,
        headed.build_id
    from headed
    left join contents on headed.order_name = contents.order_name and headed.parcel_id = contents.parcel_id
    left join trackings on headed.order_name = trackings.order_name and headed.parcel_id = trackings.parcel_id
)

select * from final
