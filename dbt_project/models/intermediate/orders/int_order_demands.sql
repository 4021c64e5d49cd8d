{{ config(materialized="view") }}

with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- What each system says of each SKU of an order; of no SKU where a line maps to none.
reported as (
    select
        order_lines.owner_system_id,
        order_lines.order_name,
        order_lines.sku,
        order_lines.system_id,
        order_lines.is_own,
        max(order_lines.channel) as channel,
        min(order_lines.line_id) as order_line_id,
        sum(order_lines.ordered_quantity) as ordered_quantity,
        sum(case when order_lines.is_cancelled then 0 else order_lines.committed_quantity end) as committed_quantity,
        sum(
            case
                when order_lines.is_cancelled or locations.location_id is null then 0
                else order_lines.committed_quantity
            end
        ) as placed_quantity,
        bool_and(order_lines.is_cancelled) as is_cancelled,
        bool_or(order_lines.is_unresolved) as is_unresolved,
        min(order_lines.ordered_at) as ordered_at,
        max(order_lines.received_at) as received_at,
        (array_agg(order_lines.record_id order by order_lines.received_at desc, order_lines.record_id desc))[1]
            as record_id,
        (array_agg(order_lines.correlation_id order by order_lines.received_at desc, order_lines.record_id desc))[1]
            as correlation_id
    from order_lines
    left join locations
        on
            order_lines.system_id = locations.system_id
            and order_lines.source_location_id = locations.source_location_id
    group by
        order_lines.owner_system_id,
        order_lines.order_name,
        order_lines.sku,
        order_lines.system_id,
        order_lines.is_own
),

-- A line counts in the copy that owns it. What the owner's record does not account for (it has not landed yet, or a
-- line of it maps to no product) is held as the copies have it.
accounted as (
    select
        reported.*,
        max(reported.channel) over of_order as order_channel,
        reported.is_own
        or coalesce(bool_or(reported.is_unresolved) filter (where reported.is_own) over of_order, true) as is_heard
    from reported
    window of_order as (partition by reported.owner_system_id, reported.order_name)
),

-- Two copies tell of the same units, but for those that each has at places of its own: these are different ones.
summed as (
    select
        owner_system_id,
        order_name,
        sku,
        max(order_channel) as channel,
        coalesce(
            max(order_line_id) filter (where is_own),
            (array_agg(order_line_id order by committed_quantity desc, system_id asc) filter (where is_heard))[1]
        ) as order_line_id,
        max(ordered_quantity) filter (where is_own) as own_ordered_quantity,
        max(committed_quantity) filter (where is_own) as own_committed_quantity,
        greatest(
            max(ordered_quantity) filter (where is_heard and not is_own),
            sum(placed_quantity) filter (where is_heard and not is_own)
        ) as copied_ordered_quantity,
        greatest(
            max(committed_quantity) filter (where is_heard and not is_own),
            sum(placed_quantity) filter (where is_heard and not is_own)
        ) as copied_committed_quantity,
        bool_and(is_cancelled) filter (where is_heard) as is_cancelled,
        min(ordered_at) as ordered_at,
        max(received_at) as received_at,
        (array_agg(record_id order by is_own desc, received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from accounted
    where sku is not null
    group by owner_system_id, order_name, sku
    having bool_or(is_heard)
),

-- Of each SKU what goes beyond the owner's own lines.
final as (
    select
        owner_system_id,
        order_name,
        sku,
        channel,
        order_line_id,
        greatest(own_ordered_quantity, copied_ordered_quantity) as ordered_quantity,
        greatest(own_committed_quantity, copied_committed_quantity) as committed_quantity,
        greatest(copied_committed_quantity - coalesce(own_committed_quantity, 0), 0) as beyond_own_quantity,
        is_cancelled,
        ordered_at,
        received_at,
        record_id,
        correlation_id
    from summed
)

select * from final
