{{ config(
    unique_key=["system_id", "source_key", "record_id", "amount_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "amount_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "order_amounts",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"order_record": ["row.system_id", "row.order_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "amount_id", "line_id", "kind", "label", "quantity", "unit_price_amount", "currency", "amount",
    "presentment_currency", "presentment_amount", "is_included", "is_channel_liable",
] %}

with {{ newest_versions("order_amounts", columns) }},

final as (
    select
        {{ version_columns() }},
        amount_id,
        order_id,
        line_id,
        kind,
        label,
        quantity,
        unit_price_amount,
        currency,
        amount,
        presentment_currency,
        presentment_amount,
        is_included,
        is_channel_liable,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
