{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

orders as not materialized (
    select * from {{ ref("orders") }}
),

order_lines as not materialized (
    select * from {{ ref("order_lines") }}
),

refunds as not materialized (
    select * from {{ ref("refunds") }}
    where refund_status <> 'failed'
),

refund_lines as not materialized (
    select * from {{ ref("refund_lines") }}
    -- Units that were never sent come back from nowhere.
    where restock_type is distinct from 'cancel'
),

return_lines as not materialized (
    select * from {{ ref("return_lines") }}
    where return_status <> 'cancelled'
),

restocks as not materialized (
    select * from {{ ref("restocks") }}
),

-- A product of an order, and how far each leg of its return has come: announced, received, restocked, refunded.
final as (
    select
        orders.order_id,
        orders.order_name,
        orders.owner_system_id,
        coalesce(orders.channel, orders.owner_system_id) as channel,
        orders.currency = orders.presentment_currency as is_paid_in_its_currency,
        orders.financial_status,
        orders.received_at as order_received_at,
        orders.correlation_id,
        handling.refunded_by,
        handling.refund_grace_minutes,
        handling.received_within_days,
        handling.restocked_within_hours,
        ordered.sku,
        ordered.ordered_quantity,
        ordered.is_priced,
        back.announced_quantity,
        back.reported_quantity,
        greatest(back.own_received_quantity, back.others_received_quantity) as received_quantity,
        back.to_restock_quantity,
        back.restocked_quantity,
        back.exchanged_quantity,
        back.announced_at,
        back.arrived_at,
        back.received_by,
        paid.refunded_quantity,
        paid.said_returned_quantity,
        paid.refunded_at,
        greatest(back.received_at, orders.received_at) as received_at
    from orders
    inner join handling on orders.owner_system_id = handling.system_id
    inner join lateral (
        select
            order_lines.sku,
            sum(order_lines.ordered_quantity) as ordered_quantity,
            bool_or(order_lines.unit_price_amount > 0) as is_priced
        from order_lines
        where
            order_lines.order_name = orders.order_name
            and order_lines.owner_system_id = orders.owner_system_id
            and order_lines.sku is not null
        group by order_lines.sku
    ) as ordered on true
    -- Each system that has the goods counts its own: of what it reports and what it moved the greater is what came.
    cross join
        lateral (
            select
                coalesce(max(by_system.announced_quantity), 0) as announced_quantity,
                coalesce(sum(by_system.received_quantity), 0) as reported_quantity,
                coalesce(sum(by_system.received_quantity) filter (where by_system.is_owner), 0)
                    as own_received_quantity,
                coalesce(
                    sum(greatest(by_system.received_quantity, by_system.restocked_quantity))
                    filter (where not by_system.is_owner),
                    0
                ) as others_received_quantity,
                coalesce(max(by_system.to_restock_quantity), 0) as to_restock_quantity,
                coalesce(sum(by_system.restocked_quantity), 0) as restocked_quantity,
                coalesce(max(by_system.exchanged_quantity), 0) as exchanged_quantity,
                min(by_system.announced_at) as announced_at,
                max(by_system.arrived_at) as arrived_at,
                min(by_system.source_system_id) filter (where not by_system.is_owner) as received_by,
                max(by_system.received_at) as received_at
            from (
                select
                    told.source_system_id,
                    told.source_system_id = orders.owner_system_id as is_owner,
                    sum(told.announced_quantity) as announced_quantity,
                    sum(told.received_quantity) as received_quantity,
                    sum(told.to_restock_quantity) as to_restock_quantity,
                    sum(told.restocked_quantity) as restocked_quantity,
                    max(told.exchanged_quantity) as exchanged_quantity,
                    min(told.announced_at) as announced_at,
                    max(told.arrived_at) as arrived_at,
                    max(told.received_at) as received_at
                from (
                    select
                        return_lines.source_system_id,
                        return_lines.announced_quantity,
                        return_lines.received_quantity,
                        return_lines.restocked_quantity as to_restock_quantity,
                        0 as restocked_quantity,
                        return_lines.exchanged_quantity,
                        return_lines.announced_at,
                        return_lines.arrived_at,
                        return_lines.received_at
                    from return_lines
                    where
                        return_lines.order_name = orders.order_name
                        and return_lines.order_id = orders.order_id
                        and return_lines.sku = ordered.sku
                    union all
                    select
                        restocks.source_system_id,
                        0 as announced_quantity,
                        0 as received_quantity,
                        0 as to_restock_quantity,
                        restocks.quantity as restocked_quantity,
                        0 as exchanged_quantity,
                        null as announced_at,
                        restocks.restocked_at as arrived_at,
                        restocks.received_at
                    from restocks
                    where
                        restocks.order_name = orders.order_name
                        and restocks.order_id = orders.order_id
                        and restocks.sku = ordered.sku
                ) as told
                group by told.source_system_id
            ) as by_system
        ) as back
    cross join
        lateral (
            select
                coalesce(sum(refund_lines.quantity), 0) as refunded_quantity,
                coalesce(sum(refund_lines.quantity) filter (where refund_lines.restock_type = 'return'), 0)
                    as said_returned_quantity,
                max(refund_lines.refunded_at) as refunded_at
            from order_lines
            inner join refund_lines on order_lines.order_line_id = refund_lines.order_line_id
            inner join refunds
                on refund_lines.refund_id = refunds.refund_id and order_lines.order_name = refunds.order_name
            where
                order_lines.order_name = orders.order_name
                and order_lines.owner_system_id = orders.owner_system_id
                and order_lines.sku = ordered.sku
        ) as paid
    where back.announced_quantity > 0 or back.restocked_quantity > 0 or paid.refunded_quantity > 0
)

select * from final
