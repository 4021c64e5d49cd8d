with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

-- A copy whose lines say different things is linked by the strongest of them.
final as (
    select
        owner_system_id || '|' || order_name as order_id,
        order_name,
        system_id,
        order_id as source_order_id,
        min(own_order_name) as source_order_name,
        case
            when bool_or(is_own) then 'own'
            when bool_or(linked_by = 'origin_reference') then 'origin_reference'
            else 'order_name'
        end as linked_by,
        bool_or(is_own) as is_own,
        max(received_at) as received_at,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from order_lines
    where owner_system_id is not null
    group by owner_system_id, order_name, system_id, order_id
)

select * from final
