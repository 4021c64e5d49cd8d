{{ config(
    unique_key=["system_id", "source_key", "record_id", "event_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "event_id"], "unique": true},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "order_events",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "order_id", "event_id", "kind", "happened_at", "source_reference",
] %}

with {{ newest_versions("order_events", columns, keeps_all=true) }},

final as (
    select
        {{ version_columns() }},
        event_id,
        order_id,
        kind,
        happened_at,
        source_reference,
        {{ build_state().build_id }}::bigint as build_id
    from newest
    -- Of versions that are no more, only what tells an edit: nobody else tells when it was.
    where is_current or is_newest or kind = 'edited'
)

select * from final
