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
        {{ longest_wait_first("differences.observed_at") }}::integer
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
    where {{ is_read_since_our_push("differences", "changes", "stream_positions.last_read_started_at") }}
)

select * from final
