{{ config(
    materialized="incremental",
    unique_key=["subject_key", "target_system"],
    indexes=[
        {"columns": ["subject_key", "target_system"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["target_system", "record_ref"]},
        {"columns": ["build_id"]},
    ],
    meta={"recomputed_by": {"kind": "order_name", "key": "row.order_name"}},
) }}

with states as (
    select * from {{ part_of(ref("int_fulfilment_states"), "order_name", "order_name") }} as states
),

final as (
    select
        subject_key,
        entity,
        target_system,
        record_ref,
        field,
        shown,
        desired,
        cause,
        evidence,
        detected_at,
        observed_at,
        age_source_seconds,
        age_landing_seconds,
        age_build_seconds,
        age_queue_seconds,
        facts_version,
        correlation_id,
        {{ build_state().build_id }}::bigint as build_id,
        order_id,
        order_name,
        owner_system_id,
        source_system_id,
        location_id,
        difference_class,
        hop,
        waits_for,
        due_at,
        quantity,
        newest_received_at
    from states
    where is_late
)

select * from final
