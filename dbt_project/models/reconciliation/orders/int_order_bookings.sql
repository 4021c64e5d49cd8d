{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with orders as not materialized (
    select * from {{ ref("orders") }}
),

booking as not materialized (
    select * from {{ source("governance", "order_booking") }}
),

order_copies as not materialized (
    select * from {{ ref("order_copies") }}
),

order_lines as not materialized (
    select * from {{ ref("order_lines") }}
),

-- An order that shall be booked, and what the ERP has of it.
final as (
    select
        orders.order_id,
        orders.order_name,
        orders.owner_system_id,
        orders.channel,
        orders.is_landed,
        -- Nothing of it will be shipped any more, and nothing has been.
        orders.is_cancelled and orders.committed_quantity = 0 as is_cancelled,
        coalesce(orders.is_test, false) as is_test,
        coalesce(orders.is_edited, false) as is_edited,
        orders.currency,
        orders.total_amount,
        orders.original_total_amount,
        orders.refunded_amount,
        orders.financial_status,
        orders.unresolved_line_count,
        orders.ordered_at,
        orders.received_at,
        orders.record_id,
        orders.correlation_id,
        orders.build_id,
        booking.booked_in,
        booking.booked_by,
        booking.grace_minutes,
        booking.waits_for_payment,
        copies.copy_count,
        copies.live_count,
        copies.source_order_ids,
        copies.external_ref,
        copies.booked_currency,
        copies.booked_amount,
        copies.shipped_quantity,
        copies.copied_at,
        copies.copy_received_at,
        lines.different_sku,
        lines.own_quantity,
        lines.booked_quantity,
        unknown.unknown_sku
    from orders
    inner join booking on orders.owner_system_id = booking.system_id
    cross join
        lateral (
            select
                count(*) as copy_count,
                count(*) filter (where not order_copies.is_cancelled) as live_count,
                string_agg(order_copies.source_order_id, ',' order by order_copies.source_order_id) as source_order_ids,
                min(order_copies.external_ref) as external_ref,
                min(order_copies.currency) as booked_currency,
                sum(order_copies.total_amount) filter (where not order_copies.is_cancelled) as booked_amount,
                sum(order_copies.shipped_quantity) as shipped_quantity,
                min(order_copies.copied_at) as copied_at,
                max(order_copies.received_at) as copy_received_at
            from order_copies
            where
                order_copies.order_name = orders.order_name
                and order_copies.owner_system_id = orders.owner_system_id
                and order_copies.system_id = booking.booked_in
        ) as copies
    -- The first product of which the ERP has another number of units.
    left join lateral (
        select
            coalesce(own.sku, booked.sku) as different_sku,
            own.quantity as own_quantity,
            booked.quantity as booked_quantity
        from (
            select
                order_lines.sku,
                sum(order_lines.ordered_quantity) as quantity
            from order_lines
            where
                order_lines.order_name = orders.order_name
                and order_lines.owner_system_id = orders.owner_system_id
                and order_lines.sku is not null
            group by order_lines.sku
        ) as own
        full join (
            select
                copy_lines.sku,
                copy_lines.ordered_quantity as quantity
            from {{ ref("order_copy_lines") }} as copy_lines
            where
                copy_lines.order_name = orders.order_name
                and copy_lines.order_id = orders.order_id
                and copy_lines.system_id = booking.booked_in
                and not copy_lines.is_cancelled
        ) as booked on own.sku = booked.sku
        where own.quantity is distinct from booked.quantity
        order by coalesce(own.sku, booked.sku)
        limit 1
    ) as lines on copies.live_count = 1
    -- A product that the ERP has no item of.
    left join lateral (
        select min(order_lines.sku) as unknown_sku
        from order_lines
        where
            order_lines.order_name = orders.order_name
            and order_lines.owner_system_id = orders.owner_system_id
            and order_lines.sku is not null
            and not exists (
                select 1
                from {{ ref("sku_aliases") }} as items
                where items.system_id = booking.booked_in and items.sku = order_lines.sku
            )
    ) as unknown on copies.copy_count = 0
)

select * from final
