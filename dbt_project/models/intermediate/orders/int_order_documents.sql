{{ config(materialized="view") }}

with totals as not materialized (
    select * from {{ ref("int_order_totals") }}
    where is_current and not is_deleted and order_id <> ''
),

-- Where a system tells an order line by line, each line says what the order comes to: the newest word counts.
final as (
    select distinct on (system_id, order_id)
        system_id,
        record_id,
        source_key,
        occurred_at,
        received_at,
        correlation_id,
        payload_hash,
        is_deleted,
        tie_rank,
        is_current,
        is_newest,
        order_id,
        external_ref,
        currency,
        presentment_currency,
        total_amount,
        presentment_total_amount,
        original_total_amount,
        subtotal_amount,
        tax_amount,
        is_tax_included,
        authorized_amount,
        paid_amount,
        refunded_amount,
        outstanding_amount,
        financial_status,
        order_status,
        is_test,
        is_edited,
        ordered_at,
        cancelled_at,
        closed_at,
        build_id
    from totals
    order by system_id asc, order_id asc, occurred_at desc, received_at desc, record_id desc
)

select * from final
