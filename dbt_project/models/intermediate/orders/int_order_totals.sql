{{ config(
    unique_key=["system_id", "source_key", "record_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "order_totals",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"order_record": ["row.system_id", "row.order_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "external_ref", "currency", "presentment_currency", "total_amount", "presentment_total_amount",
    "original_total_amount", "subtotal_amount", "tax_amount", "is_whole_order",
    "is_tax_included", "authorized_amount", "paid_amount", "refunded_amount", "outstanding_amount", "financial_status", "order_status", "is_test",
    "is_edited", "ordered_at", "cancelled_at", "closed_at",
] %}

with {{ newest_versions("order_totals", columns) }},

final as (
    select
        {{ version_columns() }},
        order_id,
        external_ref,
        currency,
        presentment_currency,
        total_amount,
        presentment_total_amount,
        original_total_amount,
        subtotal_amount,
        tax_amount,
        is_whole_order,
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
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
