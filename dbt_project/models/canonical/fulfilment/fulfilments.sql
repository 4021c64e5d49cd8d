with fulfilment_lines as not materialized (
    select * from {{ ref("fulfilment_lines") }}
),

-- Systems tell shipments line by line: those of one order, one place and one moment left together.
final as (
    select
        fulfilment_id,
        order_id,
        owner_system_id,
        order_name,
        location_id,
        fulfilled_at,
        count(*) as line_count,
        sum(quantity) as quantity,
        source_system_id,
        max(received_at) as received_at,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from fulfilment_lines
    group by fulfilment_id, order_id, owner_system_id, order_name, location_id, fulfilled_at, source_system_id
)

select * from final
