with orders as not materialized (
    select * from {{ ref("orders") }}
),

order_payments as not materialized (
    select * from {{ ref("order_payments") }}
),

refunds as not materialized (
    select * from {{ ref("refunds") }}
),

events as not materialized (
    select * from {{ ref("int_order_events") }}
    where not is_deleted and event_id <> '' and (is_current or kind = 'edited')
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

-- An edit is told by the first of the versions that have it, in whatever order they came.
reported as (
    select
        own_orders.order_id,
        events.system_id,
        events.event_id,
        events.kind,
        min(events.happened_at) as occurred_at,
        min(events.source_reference) as source_reference,
        min(events.received_at) as received_at,
        max(events.build_id) as build_id
    from events
    inner join own_orders
        on events.system_id = own_orders.system_id and events.order_id = own_orders.source_order_id
    group by own_orders.order_id, events.system_id, events.event_id, events.kind
),

happened as (
    select
        order_id,
        'placed' as event_key,
        'placed' as kind,
        ordered_at as occurred_at,
        currency,
        original_total_amount as amount,
        owner_system_id as source_system_id,
        source_order_id as source_reference,
        received_at,
        build_id
    from orders
    where ordered_at is not null
    union all
    select
        order_id,
        'cancelled' as event_key,
        'cancelled' as kind,
        cancelled_at as occurred_at,
        null as currency,
        null as amount,
        owner_system_id as source_system_id,
        source_order_id as source_reference,
        received_at,
        build_id
    from orders
    where cancelled_at is not null
    union all
    select
        order_id,
        payment_id as event_key,
        case
            when status = 'failure' then 'payment_failed'
            when kind = 'authorization' then 'authorized'
            else 'paid'
        end as kind,
        processed_at as occurred_at,
        currency,
        amount,
        source_system_id,
        source_payment_id as source_reference,
        received_at,
        build_id
    from order_payments
    where kind in ('authorization', 'sale', 'capture') and status in ('success', 'failure')
    union all
    select
        order_id,
        refund_id as event_key,
        'refunded' as kind,
        refunded_at as occurred_at,
        currency,
        refund_amount as amount,
        source_system_id,
        source_refund_id as source_reference,
        received_at,
        build_id
    from refunds
    where order_id is not null and refund_status = 'done'
    union all
    select
        order_id,
        event_id as event_key,
        kind,
        occurred_at,
        null as currency,
        null as amount,
        system_id as source_system_id,
        source_reference,
        received_at,
        build_id
    from reported
),

final as (
    select
        order_id || '|' || event_key as order_event_id,
        order_id,
        kind,
        occurred_at,
        currency,
        amount,
        source_system_id,
        source_reference,
        received_at,
        build_id
    from happened
)

select * from final
