{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with findings as not materialized (
    select
        subject_key,
        entity,
        target_system,
        record_ref,
        field,
        difference_class,
        waits_for,
        due_at,
        order_id,
        order_name,
        owner_system_id,
        refund_id,
        sku,
        currency,
        shown,
        desired,
        details,
        first_quantity,
        unit_quantity,
        received_by,
        announced_at,
        arrived_at,
        refunded_at,
        credited_at,
        received_at,
        newest_received_at,
        correlation_id
    from {{ ref("int_return_findings") }}
),

record_changes as not materialized (
    select * from {{ ref("int_record_changes") }}
    where entity = 'refund'
),

handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

evidenced as (
    select
        findings.*,
        handling.credited_by,
        handling.refunded_by,
        change.change_id,
        change.status,
        change.proposed_at,
        change.receipt_outcome,
        change.resolved_at,
        change.conflicted_change_id,
        change.written_change_id
    from findings
    inner join handling on findings.owner_system_id = handling.system_id
    left join lateral (
        select record_changes.*
        from record_changes
        where
            record_changes.target_system = findings.target_system
            and record_changes.record_ref = findings.record_ref
            and record_changes.field = findings.field
            and findings.entity = 'refund'
        order by record_changes.change_id desc
        limit 1
    ) as change on true
),

versioned as (
    select
        evidenced.*,
        md5(
            concat_ws(
                '|',
                evidenced.difference_class,
                evidenced.shown,
                evidenced.desired,
                evidenced.details,
                evidenced.waits_for,
                evidenced.conflicted_change_id
            )
        ) as difference_version
    from evidenced
),

final as (
    select
        versioned.*,
        case
            {{ causes_of_change("versioned") }}
            -- What we wrote was read back; the target's own list has not been read since.
            when
                versioned.resolved_at >= versioned.received_at
                and versioned.difference_class in ('refund_without_credit', 'received_not_refunded')
                then 'in_flight'
            when versioned.waits_for is not null or versioned.due_at > now() then 'source_delay'
            when versioned.difference_class in ('refund_without_credit', 'received_not_refunded') then 'not_synced_yet'
            else 'unexplained'
        end as cause
    from versioned
)

select * from final
