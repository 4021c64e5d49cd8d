with differences as not materialized (
    select * from {{ ref("fulfilment_differences") }}
    -- What somebody took back in the channel is theirs to decide.
    where difference_class = 'shipped_not_told' and waits_for is null and due_at <= now() and cause <> 'edited'
),

documents as not materialized (
    select * from {{ ref("int_parcel_documents") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

final as (
    select
        differences.entity,
        'create'::text as operation,
        differences.target_system,
        differences.record_ref,
        differences.field,
        differences.subject_key,
        null::jsonb as expected,
        jsonb_build_object('document', documents.document) as desired,
        -- What the guards measure: units.
        ceil(differences.quantity)::bigint as size,
        differences.cause,
        -- By harm: the customer who has waited longest goes first.
        least(999999, greatest(0, 999999 - extract(epoch from now() - differences.observed_at) / 60))::integer
            as priority,
        differences.facts_version,
        differences.observed_at as facts_as_of,
        differences.newest_received_at as facts_received_at,
        differences.correlation_id,
        differences.source_system_id as owner_system,
        'canonical.parcels ' || differences.subject_key as decided_from,
        null::text as refused_because,
        differences.build_id
    from differences
    inner join documents
        on differences.order_name = documents.order_name and differences.record_ref = documents.parcel_id
    left join stream_positions
        on differences.owner_system_id = stream_positions.system_id and stream_positions.stream = 'orders'
    where
        -- What was read before our last push, or before a push was refused, says nothing about the record now.
        not exists (
            select 1
            from changes
            where
                changes.target_system = differences.target_system
                and changes.record_ref = differences.record_ref
                and changes.entity = differences.entity
                and changes.status in ('applied', 'verified', 'conflicted')
                and greatest(changes.applied_at, changes.resolved_at)
                >= coalesce(stream_positions.last_read_started_at, '-infinity')
        )
)

select * from final
