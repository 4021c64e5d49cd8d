{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

receipts as not materialized (
    select * from {{ source("outbox", "receipts") }}
),

of_record as (
    select
        entity,
        target_system,
        record_ref,
        field,
        max(change_id) as change_id,
        max(change_id) filter (where applied_at is not null) as written_change_id,
        max(change_id) filter (where status = 'conflicted') as conflicted_change_id,
        max(greatest(applied_at, resolved_at)) filter (
            where status in ('applied', 'verified', 'conflicted')
        ) as resolved_at
    from changes
    group by entity, target_system, record_ref, field
),

final as (
    select
        of_record.entity,
        of_record.target_system,
        of_record.record_ref,
        of_record.field,
        of_record.change_id,
        newest.status,
        newest.desired,
        newest.proposed_at,
        newest.hold_id,
        receipt.outcome as receipt_outcome,
        receipt.attempted_at as receipt_attempted_at,
        of_record.resolved_at,
        of_record.conflicted_change_id,
        of_record.written_change_id,
        written.desired as written_desired,
        written.applied_at as written_at,
        written.proposed_at as written_proposed_at,
        coalesce(written.facts_received_at, written.proposed_at) as written_facts_received_at
    from of_record
    inner join changes as newest on of_record.change_id = newest.change_id
    left join changes as written on of_record.written_change_id = written.change_id
    left join lateral (
        select
            receipts.outcome,
            receipts.attempted_at
        from receipts
        where newest.key = receipts.key
        order by receipts.attempt desc
        limit 1
    ) as receipt on true
)

select * from final
