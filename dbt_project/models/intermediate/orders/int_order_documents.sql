{{ config(
    unique_key=["system_id", "order_id"],
    indexes=[
        {"columns": ["system_id", "order_id"], "unique": true},
        {"columns": ["(system_id || '|' || order_id)"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_record", "key": ["row.system_id", "row.order_id"]},
    },
) }}

{%- set build = build_state() %}

with totals as (
    select linked.*
    {%- if is_part() %}
    from ({{ touched("order_record", build.since) }}) as changed (key)
    inner join {{ ref("int_order_totals") }} as linked on {{ is_at(["row.system_id", "row.order_id"], "changed.key") }}
    {%- else %}
    from {{ ref("int_order_totals") }} as linked
    {%- endif %}
    where linked.is_current and not linked.is_deleted and linked.order_id <> ''
),

-- Where a system tells an order line by line, each line says what the order comes to: the newest word counts, and of
-- one second's words the same whichever came first.
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
        {{ build.build_id }}::bigint as build_id
    from totals
    order by system_id asc, order_id asc, occurred_at desc, tie_rank desc, payload_hash desc, source_key asc
)

select * from final
