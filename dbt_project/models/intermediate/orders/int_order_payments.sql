{{ config(
    unique_key=["system_id", "source_key", "record_id", "payment_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "payment_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "order_payments",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "payment_id", "parent_payment_id", "kind", "status", "gateway", "currency", "amount",
    "presentment_currency", "presentment_amount", "rounding_amount", "processed_at",
] %}

with {{ newest_versions("order_payments", columns) }},

final as (
    select
        {{ version_columns() }},
        payment_id,
        order_id,
        parent_payment_id,
        kind,
        status,
        gateway,
        currency,
        amount,
        presentment_currency,
        presentment_amount,
        rounding_amount,
        processed_at,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
