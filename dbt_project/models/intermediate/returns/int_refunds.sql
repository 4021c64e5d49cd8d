{{ config(
    unique_key=["system_id", "source_key", "record_id", "refund_part_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "refund_part_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "refunds",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"order_record": ["row.system_id", "row.order_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "refund_part_id", "refund_id", "refund_line_id", "line_id", "restock_type", "quantity", "currency",
    "line_amount", "line_tax_amount", "presentment_currency", "presentment_line_amount", "refund_amount",
    "presentment_refund_amount", "shipping_amount", "shipping_tax_amount", "duty_amount", "fee_amount",
    "tip_amount", "discrepancy_amount", "refund_status", "refunded_at",
] %}

with {{ newest_versions("refunds", columns) }},

final as (
    select
        {{ version_columns() }},
        refund_part_id,
        order_id,
        refund_id,
        refund_line_id,
        line_id,
        restock_type,
        quantity,
        currency,
        line_amount,
        line_tax_amount,
        presentment_currency,
        presentment_line_amount,
        refund_amount,
        presentment_refund_amount,
        shipping_amount,
        shipping_tax_amount,
        duty_amount,
        fee_amount,
        tip_amount,
        discrepancy_amount,
        refund_status,
        refunded_at,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
