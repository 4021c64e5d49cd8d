with differences as not materialized (
    select * from {{ ref("stock_differences") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
    where is_enabled
),

channel_reads as not materialized (
    select * from {{ ref("int_channel_reads") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

final as (
    select
        differences.entity,
        'set'::text as operation,
        differences.target_system,
        differences.record_ref,
        differences.field,
        differences.subject_key,
        differences.shown as expected,
        differences.desired,
        -- What the guards measure: units up or down.
        -differences.difference_quantity as size,
        differences.cause,
        -- By harm: what a channel overstates can be sold twice, so it goes before what it understates; the larger
        -- first.
        (
            case
                when differences.difference_quantity > 0 then 1000000 - least(differences.difference_quantity, 999999)
                else 2000000 - least(-differences.difference_quantity, 999999)
            end
        )::integer as priority,
        differences.facts_version,
        differences.facts_as_of,
        greatest(differences.newest_received_at, differences.listing_received_at) as facts_received_at,
        differences.correlation_id,
        null::text as owner_system,
        'marts.ats_positions ' || differences.subject_key || ' ' || differences.target_system as decided_from,
        case when differences.target_quantity < 0 then 'would write a negative number' end as refused_because,
        differences.shown_quantity,
        differences.target_quantity,
        differences.build_id
    from differences
    inner join channels on differences.target_system = channels.channel
    left join channel_reads on differences.target_system = channel_reads.channel
    where {{ is_read_since_our_push("differences", "changes", "channel_reads.last_read_started_at") }}
)

select * from final
