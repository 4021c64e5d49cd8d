with return_lines as not materialized (
    select * from {{ ref("return_lines") }}
),

-- By the word of each system that has it: the channel announces a return, the warehouse takes it in.
final as (
    select
        return_id,
        min(return_name) as return_name,
        order_id,
        order_name,
        source_system_id,
        source_return_id,
        min(return_status) as return_status,
        count(*) as line_count,
        sum(announced_quantity) as announced_quantity,
        sum(received_quantity) as received_quantity,
        sum(restocked_quantity) as restocked_quantity,
        max(exchanged_quantity) as exchanged_quantity,
        min(announced_at) as announced_at,
        min(arrived_at) as arrived_at,
        max(received_at) as received_at,
        max(record_id) as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from return_lines
    group by return_id, order_id, order_name, source_system_id, source_return_id
)

select * from final
