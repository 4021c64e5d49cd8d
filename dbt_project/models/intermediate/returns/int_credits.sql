{{ config(
    unique_key=["system_id", "source_key", "record_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id"], "unique": true},
        {"columns": ["origin_order_name"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "credits",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"named_order": "row.origin_order_name"},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "credit_id", "credit_name", "external_ref", "origin_order_name", "origin_system_id", "made_from_id",
    "currency", "credited_amount", "is_void", "booked_on", "credited_at",
] %}

with {{ newest_versions("credits", columns) }},

final as (
    select
        {{ version_columns() }},
        credit_id,
        credit_name,
        external_ref,
        origin_order_name,
        origin_system_id,
        made_from_id,
        currency,
        credited_amount,
        is_void,
        booked_on,
        credited_at,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
