{{ config(
    unique_key=["system_id", "source_key", "record_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id"], "unique": true},
        {"columns": ["system_id", "source_location_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "locations",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"location": ["row.system_id", "row.source_location_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set columns = ["source_location_id", "location_name", "is_active"] %}

with {{ newest_versions("locations", columns) }},

final as (
    select
        {{ version_columns() }},
        source_location_id,
        location_name,
        is_active,
        {{ build_state().build_id }}::bigint as build_id
    from newest
)

select * from final
