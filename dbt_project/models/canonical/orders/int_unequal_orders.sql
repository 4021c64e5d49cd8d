{{ config(schema="staging", contract={"enforced": false}) }}

with booking as not materialized (
    select * from {{ source("governance", "order_booking") }}
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

documents as not materialized (
    select * from {{ ref("int_order_documents") }}
),

-- What each side has of a product of an order.
products as (
    select
        order_lines.owner_system_id,
        order_lines.order_name,
        booking.booked_in,
        min(order_lines.order_id) filter (where order_lines.is_own) as own_id,
        max(order_lines.order_id) filter (where order_lines.is_own) as other_own_id,
        min(order_lines.order_id) filter (where not order_lines.is_own) as booked_id,
        max(order_lines.order_id) filter (where not order_lines.is_own) as other_booked_id,
        bool_or(order_lines.is_cancelled) as has_cancelled,
        order_lines.sku is not null
        and coalesce(sum(order_lines.ordered_quantity) filter (where order_lines.is_own), 0)
        <> coalesce(sum(order_lines.ordered_quantity) filter (where not order_lines.is_own), 0) as has_other_units
    from order_lines
    inner join booking on order_lines.owner_system_id = booking.system_id
    where order_lines.is_own or order_lines.system_id = booking.booked_in
    group by order_lines.owner_system_id, order_lines.order_name, booking.booked_in, order_lines.sku
),

compared as (
    select
        owner_system_id,
        order_name,
        booked_in,
        min(own_id) as own_id,
        min(booked_id) as booked_id,
        min(own_id) = max(other_own_id) and min(booked_id) = max(other_booked_id) as is_one_each,
        bool_or(has_cancelled) as has_cancelled,
        bool_or(has_other_units) as has_other_units
    from products
    group by owner_system_id, order_name, booked_in
),

-- All but those that are plainly the same: one record on each side, nothing cancelled, the same units of each product,
-- and a total that is the order's, as it is now, as it was sold or before what was given back.
final as (
    select
        compared.owner_system_id,
        compared.order_name,
        compared.booked_in
    from compared
    left join documents as own
        on compared.owner_system_id = own.system_id and compared.own_id = own.order_id
    left join documents as booked
        on compared.booked_in = booked.system_id and compared.booked_id = booked.order_id
    where
        (
            compared.is_one_each
            and not compared.has_cancelled
            and not compared.has_other_units
            and own.currency = booked.currency
            and (
                booked.total_amount in (own.total_amount, own.total_amount + own.refunded_amount)
                or booked.total_amount = own.original_total_amount and not own.is_edited
            )
        ) is not true
)

select * from final
