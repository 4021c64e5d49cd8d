with order_copies as not materialized (
    select * from {{ ref("order_copies") }}
),

amounts as not materialized (
    select * from {{ ref("int_order_amounts") }}
    where is_current and not is_deleted and amount is not null and not is_included
),

final as (
    select
        order_copies.order_id,
        order_copies.order_name,
        order_copies.system_id,
        order_copies.source_order_id,
        amounts.kind,
        min(amounts.currency) as currency,
        sum(amounts.amount) as amount,
        max(amounts.received_at) as received_at,
        max(amounts.build_id) as build_id
    from order_copies
    inner join amounts
        on order_copies.system_id = amounts.system_id and order_copies.source_order_id = amounts.order_id
    group by
        order_copies.order_id,
        order_copies.order_name,
        order_copies.system_id,
        order_copies.source_order_id,
        amounts.kind
)

select * from final
