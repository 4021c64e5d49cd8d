{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with orders as not materialized (
    select * from {{ ref("orders") }}
),

booking as not materialized (
    select * from {{ source("governance", "order_booking") }}
),

order_lines as not materialized (
    select * from {{ ref("order_lines") }}
    where sku is not null
),

-- What an ERP has of the orders that it shall have. All of this is grouped by the order's name, so that one order is
-- looked up and all are read once.
copies as (
    select
        order_copies.order_name,
        order_copies.owner_system_id,
        count(*) as copy_count,
        count(*) filter (where not order_copies.is_cancelled) as live_count,
        string_agg(order_copies.source_order_id, ',' order by order_copies.source_order_id) as source_order_ids,
        min(order_copies.external_ref) as external_ref,
        min(order_copies.currency) as booked_currency,
        sum(order_copies.total_amount) filter (where not order_copies.is_cancelled) as booked_amount,
        sum(order_copies.shipped_quantity) as shipped_quantity,
        min(order_copies.copied_at) as copied_at,
        max(order_copies.received_at) as copy_received_at
    from {{ ref("order_copies") }} as order_copies
    inner join booking
        on order_copies.owner_system_id = booking.system_id and order_copies.system_id = booking.booked_in
    group by order_copies.order_name, order_copies.owner_system_id
),

units as (
    select
        order_lines.order_name,
        order_lines.owner_system_id,
        order_lines.sku,
        order_lines.ordered_quantity,
        coalesce(order_lines.current_quantity, order_lines.ordered_quantity) as current_quantity,
        0 as booked_quantity
    from order_lines
    union all
    select
        copy_lines.order_name,
        copy_lines.owner_system_id,
        copy_lines.sku,
        0 as ordered_quantity,
        0 as current_quantity,
        copy_lines.ordered_quantity as booked_quantity
    from {{ ref("order_copy_lines") }} as copy_lines
    inner join booking
        on copy_lines.owner_system_id = booking.system_id and copy_lines.system_id = booking.booked_in
    where not copy_lines.is_cancelled
),

-- Products of which the ERP has more units than were ordered, or less than are left. In between lies what was taken off
-- or given back since it was booked.
different_products as (
    select
        order_name,
        owner_system_id,
        sku,
        sum(current_quantity) as current_quantity,
        sum(booked_quantity) as booked_quantity
    from units
    group by order_name, owner_system_id, sku
    having sum(booked_quantity) not between sum(current_quantity) and sum(ordered_quantity)
),

-- The first of them.
different as (
    select distinct on (order_name, owner_system_id)
        order_name,
        owner_system_id,
        sku as different_sku,
        current_quantity as own_quantity,
        booked_quantity
    from different_products
    order by order_name asc, owner_system_id asc, sku asc
),

-- A product that the ERP has no item of.
unknown as (
    select
        order_lines.order_name,
        order_lines.owner_system_id,
        min(order_lines.sku) as unknown_sku
    from order_lines
    inner join booking on order_lines.owner_system_id = booking.system_id
    where
        not exists (
            select 1
            from {{ ref("sku_aliases") }} as items
            where items.system_id = booking.booked_in and items.sku = order_lines.sku
        )
    group by order_lines.order_name, order_lines.owner_system_id
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
        coalesce(copies.copy_count, 0) as copy_count,
        coalesce(copies.live_count, 0) as live_count,
        copies.source_order_ids,
        copies.external_ref,
        copies.booked_currency,
        copies.booked_amount,
        copies.shipped_quantity,
        copies.copied_at,
        copies.copy_received_at,
        different.different_sku,
        different.own_quantity,
        different.booked_quantity,
        case when copies.copy_count is null then unknown.unknown_sku end as unknown_sku
    from orders
    inner join booking on orders.owner_system_id = booking.system_id
    left join copies on orders.order_name = copies.order_name and orders.owner_system_id = copies.owner_system_id
    left join different
        on
            orders.order_name = different.order_name
            and orders.owner_system_id = different.owner_system_id
            and copies.live_count = 1
    left join unknown on orders.order_name = unknown.order_name and orders.owner_system_id = unknown.owner_system_id
)

select * from final
