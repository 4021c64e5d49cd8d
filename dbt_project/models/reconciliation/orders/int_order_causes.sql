{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with mismatches as not materialized (
    select
        order_id,
        order_name,
        owner_system_id,
        channel,
        is_landed,
        is_cancelled,
        is_test,
        is_edited,
        currency,
        total_amount,
        original_total_amount,
        refunded_amount,
        financial_status,
        unresolved_line_count,
        ordered_at,
        received_at,
        record_id,
        correlation_id,
        build_id,
        booked_in,
        booked_by,
        grace_minutes,
        waits_for_payment,
        copy_count,
        live_count,
        source_order_ids,
        external_ref,
        booked_currency,
        booked_amount,
        shipped_quantity,
        copied_at,
        copy_received_at,
        different_sku,
        own_quantity,
        booked_quantity,
        unknown_sku,
        difference_class,
        field,
        waits_for,
        due_at
    from {{ ref("int_order_mismatches") }}
),

record_changes as not materialized (
    select * from {{ ref("int_record_changes") }}
    where entity = 'order'
),

addressed as (
    select
        mismatches.*,
        -- An order that is booked already is known by the id that it was booked with, whoever did.
        case
            when mismatches.copy_count = 0 then 'trueup:' || mismatches.order_id
            else coalesce(mismatches.external_ref, mismatches.booked_in || ':' || mismatches.source_order_ids)
        end as record_ref
    from mismatches
),

evidenced as (
    select
        addressed.*,
        change.change_id,
        change.status,
        change.proposed_at,
        change.receipt_outcome,
        change.resolved_at,
        change.conflicted_change_id,
        change.written_change_id
    from addressed
    left join lateral (
        select record_changes.*
        from record_changes
        where
            record_changes.target_system = addressed.booked_in
            and record_changes.record_ref = addressed.record_ref
            and record_changes.field = addressed.field
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
                evidenced.currency,
                evidenced.total_amount,
                evidenced.live_count,
                evidenced.booked_amount,
                evidenced.different_sku,
                evidenced.own_quantity,
                evidenced.booked_quantity,
                evidenced.is_cancelled,
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
            -- What we wrote was read back; the ERP's own list of orders has not been read since.
            when versioned.resolved_at >= versioned.received_at and versioned.difference_class = 'missing'
                then 'in_flight'
            when versioned.waits_for is not null then 'source_delay'
            when versioned.difference_class = 'edited_after_booking' then 'edited'
            when versioned.difference_class = 'missing' then 'not_synced_yet'
            when versioned.difference_class = 'cancelled_on_one_side' and versioned.is_cancelled then 'not_synced_yet'
            else 'unexplained'
        end as cause
    from versioned
)

select * from final
