{%- set sums = [
    "total_amount", "presentment_total_amount", "original_total_amount", "subtotal_amount", "tax_amount",
    "authorized_amount", "paid_amount", "outstanding_amount",
] %}

with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

totals as not materialized (
    select * from {{ ref("int_order_documents") }}
),

refunds as not materialized (
    select * from {{ ref("refunds") }}
    where refund_status <> 'failed'
),

-- An order is known from its copies before its own record has landed.
known as (
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
),

-- In the word of the system that took it. Two records of one name are one order; of two currencies there is no sum.
documents as (
    select
        own_orders.system_id,
        own_orders.order_name,
        case when count(distinct totals.currency) = 1 then min(totals.currency) end as currency,
        case when count(distinct totals.presentment_currency) = 1 then min(totals.presentment_currency) end
            as presentment_currency,
        {%- for name in sums %}
        case
            when count(distinct totals.{{ "presentment_" if name.startswith("presentment_") }}currency) = 1
                then sum(totals.{{ name }})
        end as {{ name }},
        {%- endfor %}
        sum(coalesce(totals.refunded_amount, refunded.amount, 0)) as refunded_amount,
        bool_and(totals.is_tax_included) as is_tax_included,
        (array_agg(totals.financial_status order by totals.ordered_at desc, totals.order_id desc))[1]
            as financial_status,
        (array_agg(totals.order_status order by totals.ordered_at desc, totals.order_id desc))[1] as order_status,
        bool_and(totals.is_test) as is_test,
        bool_or(totals.is_edited) as is_edited,
        max(totals.cancelled_at) as cancelled_at,
        max(totals.closed_at) as closed_at,
        max(totals.build_id) as build_id
    from own_orders
    inner join totals on own_orders.system_id = totals.system_id and own_orders.source_order_id = totals.order_id
    -- Where the record of the order does not tell what went back, the refunds do.
    left join lateral (
        select sum(refunds.refund_amount) as amount
        from refunds
        where
            totals.refunded_amount is null
            and refunds.source_system_id = own_orders.system_id
            and refunds.source_order_id = own_orders.source_order_id
    ) as refunded on true
    group by own_orders.system_id, own_orders.order_name
),

final as (
    select
        known.order_id,
        known.owner_system_id,
        known.order_name,
        known.source_order_id,
        known.channel,
        known.is_landed,
        known.is_cancelled,
        known.line_count,
        known.unresolved_line_count,
        known.ordered_quantity,
        known.committed_quantity,
        known.copied_to,
        documents.currency,
        documents.presentment_currency,
        {%- for name in sums %}
        documents.{{ name }},
        {%- endfor %}
        case when documents.total_amount is not null then documents.refunded_amount end as refunded_amount,
        documents.is_tax_included,
        -- The owner's own word, where it has one.
        coalesce(
            documents.financial_status,
            case
                when documents.total_amount is null then null
                when documents.refunded_amount > 0 and documents.refunded_amount < documents.paid_amount
                    then 'partly_refunded'
                when documents.refunded_amount > 0 then 'refunded'
                when documents.paid_amount >= documents.total_amount then 'paid'
                when documents.paid_amount > 0 then 'partly_paid'
                when documents.authorized_amount > 0 then 'authorized'
                else 'unpaid'
            end
        ) as financial_status,
        documents.order_status,
        documents.is_test,
        documents.is_edited,
        documents.cancelled_at,
        documents.closed_at,
        known.ordered_at,
        known.received_at,
        known.record_id,
        known.correlation_id,
        greatest(known.build_id, documents.build_id) as build_id
    from known
    left join documents on known.owner_system_id = documents.system_id and known.order_name = documents.order_name
)

select * from final
