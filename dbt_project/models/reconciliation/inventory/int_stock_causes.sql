{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with mismatches as not materialized (
    select
        sku,
        channel,
        system_id,
        clock_uncertainty_seconds,
        shows,
        channel_record_id,
        source_item_id,
        shown_quantity,
        available_quantity,
        previous_available_quantity,
        previous_observed_at,
        previous_received_at,
        observed_at,
        listing_received_at,
        listing_record_id,
        ats_quantity,
        target_quantity,
        facts_as_of,
        newest_received_at,
        facts_version,
        correlation_id,
        age_source_seconds,
        age_landing_seconds,
        age_build_seconds,
        ordered_quantity,
        returned_quantity,
        is_edited
    from {{ ref("int_stock_edits") }}
),

record_changes as not materialized (
    select * from {{ ref("int_record_changes") }}
    where entity = 'stock'
),

channel_reads as not materialized (
    select * from {{ ref("int_channel_reads") }}
),

-- Stops by a switch are no verdict on the number.
withheld as not materialized (
    select * from {{ source("gates", "withheld") }}
    where kind <> 'switch' and (entity = 'stock' or entity is null)
),

declarations as not materialized (
    select * from {{ source("governance", "declarations") }}
),

---------------------------------------------------------------- what speaks for which cause
evidenced as (
    select
        mismatches.*,
        change.change_id,
        change.status,
        change.desired::bigint as correction_target,
        change.proposed_at,
        change.hold_id,
        change.receipt_outcome,
        change.receipt_attempted_at,
        change.resolved_at,
        change.conflicted_change_id,
        change.written_change_id,
        change.written_desired::bigint as written_target,
        change.written_at,
        change.written_facts_received_at,
        channel_reads.last_read_started_at,
        gate.rule_id as gate_rule_id,
        declared.declared_at,
        change.written_change_id is not null as is_written,
        mismatches.is_edited
        and (
            -- Had nobody touched it, it would be right; or nothing that we know is newer than the edit.
            mismatches.ats_quantity between
            mismatches.previous_available_quantity - mismatches.ordered_quantity
            and mismatches.previous_available_quantity + mismatches.returned_quantity
            or mismatches.listing_received_at > coalesce(mismatches.newest_received_at, '-infinity')
        ) as is_edit_the_cause,
        coalesce(mismatches.newest_received_at > change.written_facts_received_at, false) as is_fact_newer,
        coalesce(declared.declared_at > change.written_proposed_at, false) as are_rules_newer,
        -- The number is a function of facts and rules: another one than we wrote means that one of them has moved.
        coalesce(mismatches.target_quantity <> change.written_desired::bigint, false) as is_target_moved,
        -- A poll may miss a change, a sweep cannot: until one has ended, what we hold was there before our push.
        coalesce(
            mismatches.listing_received_at < change.written_at
            and coalesce(channel_reads.swept_at, '-infinity') < change.written_at,
            false
        ) as is_listing_older
    from mismatches
    cross join (select max(declarations.declared_at) as declared_at from declarations) as declared
    left join lateral (
        select record_changes.*
        from record_changes
        where
            record_changes.target_system = mismatches.channel
            and record_changes.record_ref = mismatches.channel_record_id
            and record_changes.field = mismatches.shows
        -- There is one at most: with a limit it is looked up for each record, not grouped for all and then joined.
        order by record_changes.change_id desc
        limit 1
    ) as change on true
    left join channel_reads on mismatches.channel = channel_reads.channel
    left join lateral (
        select min(open_gate.rule_id) as rule_id
        from (
            select withheld.rule_id
            from withheld
            where
                withheld.subject_key = mismatches.sku
                and (withheld.target_system = mismatches.channel or withheld.target_system is null)
            union all
            select withheld.rule_id
            from withheld
            where
                withheld.kind = 'stop'
                and (withheld.target_system = mismatches.channel or withheld.target_system is null)
        ) as open_gate
    ) as gate on true
),

---------------------------------------------------------------- why
final as (
    select
        evidenced.*,
        case
            when evidenced.status = 'rejected' and evidenced.correction_target = evidenced.target_quantity
                then 'downstream_rejection'
            when evidenced.status = 'exhausted' and evidenced.correction_target = evidenced.target_quantity
                then case when evidenced.receipt_outcome = 'rejected' then 'downstream_rejection' else 'api_timeout' end
            when
                evidenced.status in ('proposed', 'claimed', 'sent')
                and evidenced.receipt_outcome in ('unknown', 'retry')
                then 'api_timeout'
            when
                evidenced.status in ('proposed', 'held')
                and evidenced.proposed_at < now() - make_interval(secs => {{ var("backlog_seconds") }})
                then 'queue_backlog'
            when evidenced.status in ('proposed', 'held', 'claimed', 'sent', 'applied') then 'in_flight'
            when evidenced.resolved_at >= evidenced.last_read_started_at then 'in_flight'
            -- A gate keeps what was right once from being right again. What we never wrote was wrong before any gate.
            when evidenced.gate_rule_id is not null and (evidenced.is_written or evidenced.is_edit_the_cause)
                then 'transformation_error'
            when evidenced.is_edit_the_cause then 'edited'
            when not evidenced.is_written then 'not_synced_yet'
            when evidenced.is_target_moved and evidenced.are_rules_newer and not evidenced.is_fact_newer
                then 'rules_changed'
            when evidenced.is_target_moved then 'source_delay'
            when evidenced.is_listing_older then 'in_flight'
            when evidenced.is_fact_newer then 'source_delay'
            else 'unexplained'
        end as cause
    from evidenced
)

select * from final
