with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

-- An order is known from its copies before its own record has landed.
final as (
    select
        owner_system_id || '|' || order_name as order_id,
        owner_system_id,
        order_name,
        max(order_id) filter (where is_own) as source_order_id,
        max(channel) filter (where is_own) as channel,
        bool_or(is_own) as is_landed,
        case when bool_or(is_own) then bool_and(is_cancelled) filter (where is_own) else bool_and(is_cancelled) end
            as is_cancelled,
        count(*) filter (where is_own) as line_count,
        count(*) filter (where is_own and is_unresolved) as unresolved_line_count,
        coalesce(sum(ordered_quantity) filter (where is_own), 0) as ordered_quantity,
        coalesce(sum(committed_quantity) filter (where is_own and not is_cancelled), 0) as committed_quantity,
        string_agg(distinct system_id, ',' order by system_id) filter (where not is_own) as copied_to,
        coalesce(min(ordered_at) filter (where is_own), min(ordered_at)) as ordered_at,
        max(received_at) as received_at,
        (array_agg(record_id order by is_own desc, received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from order_lines
    group by owner_system_id, order_name
)

select * from final
