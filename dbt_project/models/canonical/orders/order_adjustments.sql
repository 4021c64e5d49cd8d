with amounts as not materialized (
    select * from {{ ref("int_order_amounts") }}
    where is_current and not is_deleted and amount is not null
),

totals as not materialized (
    select * from {{ ref("int_order_documents") }}
    where total_amount is not null
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

reported as (
    select
        own_orders.system_id || '|' || own_orders.source_order_id || '|' || amounts.amount_id as order_adjustment_id,
        own_orders.order_id,
        own_orders.order_name,
        own_orders.system_id as owner_system_id,
        own_orders.system_id || '|' || own_orders.source_order_id || '|' || amounts.line_id as order_line_id,
        amounts.kind,
        amounts.label,
        amounts.currency,
        amounts.amount,
        amounts.presentment_currency,
        amounts.presentment_amount,
        amounts.is_included,
        amounts.is_channel_liable,
        amounts.received_at,
        amounts.record_id,
        amounts.correlation_id,
        amounts.build_id
    from amounts
    inner join own_orders
        on amounts.system_id = own_orders.system_id and amounts.order_id = own_orders.source_order_id
    where amounts.kind <> 'goods'
),

-- Grouped by the order's name too, so that who asks for one order does not add up all.
sums as (
    select
        own_orders.system_id,
        own_orders.source_order_id,
        own_orders.order_name,
        sum(amounts.amount) as amount,
        sum(amounts.presentment_amount) as presentment_amount
    from own_orders
    inner join amounts
        on own_orders.system_id = amounts.system_id and own_orders.source_order_id = amounts.order_id
    where not amounts.is_included
    group by own_orders.system_id, own_orders.source_order_id, own_orders.order_name
),

-- What no part explains has a name too, so that a total is always the sum of its parts.
unexplained as (
    select
        own_orders.system_id || '|' || own_orders.source_order_id || '|difference' as order_adjustment_id,
        own_orders.order_id,
        own_orders.order_name,
        own_orders.system_id as owner_system_id,
        null::text as order_line_id,
        'difference' as kind,
        null::text as label,
        totals.currency,
        totals.total_amount - coalesce(sums.amount, 0) as amount,
        totals.presentment_currency,
        totals.presentment_total_amount - coalesce(sums.presentment_amount, 0) as presentment_amount,
        false as is_included,
        null::boolean as is_channel_liable,
        totals.received_at,
        totals.record_id,
        totals.correlation_id,
        totals.build_id
    from totals
    inner join own_orders
        on totals.system_id = own_orders.system_id and totals.order_id = own_orders.source_order_id
    left join sums
        on
            own_orders.system_id = sums.system_id
            and own_orders.source_order_id = sums.source_order_id
            and own_orders.order_name = sums.order_name
    where
        totals.total_amount <> coalesce(sums.amount, 0)
        or totals.presentment_total_amount <> coalesce(sums.presentment_amount, 0)
),

final as (
    select * from reported
    union all
    select * from unexplained
)

select * from final
