-- Longer than 200 lines: a cause is found by weighing all evidence of one difference side by side.
{{ config(
    materialized="incremental",
    unique_key=["sku", "channel"],
    indexes=[
        {"columns": ["sku", "channel"], "unique": true},
        {"columns": ["channel", "channel_record_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "difference", "key": "row.sku"},
        "evidence": ["int_owned_order_lines"],
        "reached": [
            {"from": "build", "to": "difference", "through": "this", "key": "row.sku"},
            {"from": "sku", "to": "difference"},
            {"from": "stock_item", "to": "difference", "through": "sku_aliases",
             "at": ["row.system_id", "row.source_stock_item_id"], "key": "row.sku", "beside": "governance.channels",
             "on": "row.system_id = beside.system_id"},
            {"because": "What is listed at a place that was switched off, or on again",
             "from": "location", "to": "difference", "through": "governance.channels",
             "at": ["row.system_id", "row.listing_location_id"], "beside": "sku_aliases",
             "on": "row.system_id = beside.system_id", "key": "beside.sku"},
        ],
    },
) }}

-- depends_on: {{ ref("sku_aliases") }}
{%- set build = build_state() %}

with positions as {{ "materialized" if is_part() else "not materialized" }} (
    select * from {{ ref("ats_positions") }}
    {%- if is_part() %}
    where sku in ({{ touched("difference", build.since) }})
    {%- endif %}
),

{%- if is_part() %}

-- Fenced by being materialized: a look into an index for each touched SKU. Left to choose, PostgreSQL underestimates
-- the listings, reads them all and compares each with every position.
listings as materialized (
    select found.*
    from ({{ touched("difference", build.since) }}) as skus
    cross join lateral (
        with of_sku as materialized (
            select channel_listings.*
            from {{ ref("channel_listings") }} as channel_listings
            where skus.key = channel_listings.sku
        )

        select * from of_sku
    ) as found
),
{%- else %}

listings as not materialized (
    select * from {{ ref("channel_listings") }}
),
{%- endif %}

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

landings as not materialized (
    select * from {{ source("audit", "landings") }}
),

corrections as not materialized (
    select
        change_id as correction_id,
        key,
        target_system as channel,
        record_ref as record_id,
        entity,
        desired::bigint as target,
        status,
        attempts,
        hold_id,
        proposed_at,
        applied_at,
        resolved_at,
        facts_received_at
    from {{ source("outbox", "changes") }}
    where entity = 'stock'
),

receipts as not materialized (
    select * from {{ source("outbox", "receipts") }}
),

withheld as not materialized (
    select * from {{ source("gates", "withheld") }}
    where kind <> 'switch' and (entity = 'stock' or entity is null)
),

declarations as not materialized (
    select * from {{ source("governance", "declarations") }}
),

order_lines as not materialized (
    select * from {{ ref("order_lines") }}
),

---------------------------------------------------------------- what is wrong
compared as (
    select
        positions.sku,
        positions.channel,
        channels.system_id,
        systems.clock_uncertainty_seconds,
        listings.channel_record_id,
        listings.source_item_id,
        -- Corrections are of whole units: what is shown beyond them cannot be sold as one.
        floor(listings.shown_quantity)::bigint as shown_quantity,
        listings.available_quantity,
        listings.previous_available_quantity,
        listings.previous_observed_at,
        listings.previous_received_at,
        listings.observed_at,
        listings.received_at as listing_received_at,
        listings.record_id as listing_record_id,
        positions.ats_quantity,
        positions.target_quantity,
        positions.location_terms,
        positions.facts_as_of,
        positions.newest_received_at,
        positions.facts_version,
        case
            when listings.received_at > coalesce(positions.newest_received_at, '-infinity') then listings.correlation_id
            else positions.correlation_id
        end as correlation_id
    from positions
    inner join channels on positions.channel = channels.channel and channels.is_enabled
    inner join systems on channels.system_id = systems.system_id
    inner join listings
        on
            positions.sku = listings.sku
            and positions.channel = listings.channel
            and listings.is_listed
            and positions.target_quantity <> floor(listings.shown_quantity)
),

---------------------------------------------------------------- what we did about it
judged as (
    select
        compared.*,
        correction.correction_id,
        correction.status,
        correction.target as correction_target,
        correction.proposed_at,
        correction.hold_id,
        receipt.outcome as receipt_outcome,
        receipt.attempted_at as receipt_attempted_at,
        resolved.resolved_at,
        resolved.conflicted_correction_id,
        written.correction_id as written_correction_id,
        written.target as written_target,
        written.applied_at as written_at,
        written.proposed_at as written_proposed_at,
        coalesce(written.facts_received_at, written.proposed_at) as written_facts_received_at,
        coalesce(listing_read.last_read_started_at, source_read.last_read_started_at) as last_read_started_at,
        coalesce(listing_read.swept_at, source_read.swept_at) as swept_at
    from compared
    left join lateral (
        select
            corrections.correction_id,
            corrections.key,
            corrections.status,
            corrections.target,
            corrections.proposed_at,
            corrections.hold_id
        from corrections
        where
            corrections.channel = compared.channel
            and corrections.record_id = compared.channel_record_id
        order by corrections.correction_id desc
        limit 1
    ) as correction on true
    left join lateral (
        select
            receipts.outcome,
            receipts.attempted_at
        from receipts
        where receipts.key = correction.key
        order by receipts.attempt desc
        limit 1
    ) as receipt on true
    left join lateral (
        select
            max(greatest(corrections.applied_at, corrections.resolved_at)) filter (
                where corrections.status in ('applied', 'verified', 'conflicted')
            ) as resolved_at,
            max(corrections.correction_id) filter (where corrections.status = 'conflicted') as conflicted_correction_id
        from corrections
        where
            corrections.channel = compared.channel
            and corrections.record_id = compared.channel_record_id
    ) as resolved on true
    -- What the channel last took from us, and the facts that it was decided from.
    left join lateral (
        select
            corrections.correction_id,
            corrections.target,
            corrections.applied_at,
            corrections.proposed_at,
            corrections.facts_received_at
        from corrections
        where
            corrections.channel = compared.channel
            and corrections.record_id = compared.channel_record_id
            and corrections.applied_at is not null
        order by corrections.correction_id desc
        limit 1
    ) as written on true
    left join stream_positions as listing_read
        on compared.system_id = listing_read.system_id and listing_read.stream = 'listings'
    -- A till's counts are its listings.
    left join stream_positions as source_read
        on compared.system_id = source_read.system_id and source_read.stream = 'stock_levels'
),

---------------------------------------------------------------- what the channel's own customers and our pushes explain
explained as (
    select
        judged.*,
        coalesce(sales.ordered_quantity, 0) as ordered_quantity,
        coalesce(sales.returned_quantity, 0) as returned_quantity,
        judged.previous_observed_at is not null
        and judged.available_quantity is not null
        and not coalesce(
            judged.available_quantity between
            judged.previous_available_quantity - coalesce(sales.ordered_quantity, 0)
            and judged.previous_available_quantity + coalesce(sales.returned_quantity, 0),
            false
        )
        and not exists (
            select 1
            from corrections
            where
                corrections.channel = judged.channel
                and corrections.record_id = judged.channel_record_id
                and corrections.attempts > 0
                and coalesce(corrections.resolved_at, corrections.applied_at, 'infinity') >= judged.previous_received_at
                and judged.shown_quantity between
                corrections.target - coalesce(sales.ordered_quantity, 0)
                and corrections.target + coalesce(sales.returned_quantity, 0)
        ) as is_edited
    from judged
    left join lateral (
        select
            sum(order_lines.ordered_quantity) filter (
                where
                order_lines.ordered_at > judged.previous_observed_at
                and order_lines.ordered_at
                <= judged.observed_at + make_interval(secs => judged.clock_uncertainty_seconds)
            ) as ordered_quantity,
            sum(
                order_lines.ordered_quantity
                - case when order_lines.is_cancelled then 0 else order_lines.committed_quantity end
            ) filter (where order_lines.occurred_at > judged.previous_observed_at) as returned_quantity
        from order_lines
        where
            order_lines.owner_system_id = judged.system_id
            and order_lines.source_item_id = judged.source_item_id
            and judged.previous_observed_at is not null
    ) as sales on true
),

---------------------------------------------------------------- what speaks for which cause
evidenced as (
    select
        explained.*,
        gate.rule_id as gate_rule_id,
        declared.declared_at,
        explained.written_correction_id is not null as is_written,
        explained.is_edited
        and (
            -- Had nobody touched it, it would be right; or nothing that we know is newer than the edit.
            explained.ats_quantity between
            explained.previous_available_quantity - explained.ordered_quantity
            and explained.previous_available_quantity + explained.returned_quantity
            or explained.listing_received_at > coalesce(explained.newest_received_at, '-infinity')
        ) as is_edit_the_cause,
        coalesce(explained.newest_received_at > explained.written_facts_received_at, false) as is_fact_newer,
        coalesce(declared.declared_at > explained.written_proposed_at, false) as are_rules_newer,
        -- The number is a function of facts and rules: another one than we wrote means that one of them has moved.
        coalesce(explained.target_quantity <> explained.written_target, false) as is_target_moved,
        -- A poll may miss a change, a sweep cannot: until one has ended, what we hold was there before our push.
        coalesce(
            explained.listing_received_at < explained.written_at
            and coalesce(explained.swept_at, '-infinity') < explained.written_at,
            false
        ) as is_listing_older
    from explained
    cross join (select max(declarations.declared_at) as declared_at from declarations) as declared
    left join lateral (
        select min(open_gate.rule_id) as rule_id
        from (
            select withheld.rule_id
            from withheld
            where
                withheld.subject_key = explained.sku
                and (withheld.target_system = explained.channel or withheld.target_system is null)
            union all
            select withheld.rule_id
            from withheld
            where
                withheld.kind = 'stop'
                and (withheld.target_system = explained.channel or withheld.target_system is null)
        ) as open_gate
    ) as gate on true
),

---------------------------------------------------------------- why
caused as (
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
),

---------------------------------------------------------------- how long it has been on the way
aged as (
    select
        caused.*,
        source_age.seconds as age_source_seconds,
        landing_age.seconds as age_landing_seconds
    from caused
    -- On the source's own clock: how old its newest figure was when we last asked. A read is dated by its first page:
    -- a figure of a later page, or a movement that followed, is younger, so we asked for it when it was true.
    left join lateral (
        select
            min(
                extract(
                    epoch from greatest(
                        stream_positions.polled_as_of,
                        stream_positions.swept_as_of,
                        (term.content ->> 'as_of')::timestamptz
                    ) - (term.content ->> 'as_of')::timestamptz
                )
            )::double precision as seconds
        from jsonb_array_elements(caused.location_terms) as term (content)
        inner join stream_positions
            on
                term.content ->> 'source_system_id' = stream_positions.system_id
                and stream_positions.stream = 'stock_levels'
        where (term.content ->> 'as_of')::timestamptz > '-infinity'
    ) as source_age on true
    left join lateral (
        select extract(epoch from caused.newest_received_at - landings.started_at)::double precision as seconds
        from landings
        where
            landings.finished_at >= caused.newest_received_at
            and landings.started_at <= caused.newest_received_at
        order by landings.finished_at asc
        limit 1
    ) as landing_age on true
),

versioned as (
    select
        aged.*,
        -- A listing that was seen anew, and a channel that refused the last decision, call for a new decision even
        -- where the numbers are the same again.
        aged.facts_version || '.' || aged.listing_record_id || coalesce('.' || aged.conflicted_correction_id, '')
            as difference_version
    from aged
),

-- What this table holds so far.
open_difference as (
    {%- if remembers([
        "detected_at", "age_source_seconds", "age_landing_seconds", "age_build_seconds", "facts_version",
    ]) %}
    select
        sku,
        channel,
        detected_at,
        age_source_seconds,
        age_landing_seconds,
        age_build_seconds,
        facts_version
    from {{ this }}
    {%- else %}
    select
        null::text as sku,
        null::text as channel,
        null::timestamptz as detected_at,
        null::double precision as age_source_seconds,
        null::double precision as age_landing_seconds,
        null::double precision as age_build_seconds,
        null::text as facts_version
    where false
    {%- endif %}
),

final as (
    select
        versioned.sku,
        versioned.channel,
        versioned.channel_record_id,
        versioned.shown_quantity,
        versioned.target_quantity,
        versioned.shown_quantity - versioned.target_quantity as difference_quantity,
        versioned.cause,
        jsonb_strip_nulls(
            jsonb_build_object(
                'correction_id', versioned.correction_id,
                'correction_status', versioned.status,
                'receipt_outcome', versioned.receipt_outcome,
                'receipt_attempted_at', versioned.receipt_attempted_at,
                'hold_id', versioned.hold_id,
                'gate_rule_id', versioned.gate_rule_id,
                'is_written', versioned.is_written,
                'written_correction_id', versioned.written_correction_id,
                'written_quantity', versioned.written_target,
                'written_at', versioned.written_at,
                'written_facts_received_at', versioned.written_facts_received_at,
                'declared_at', case when versioned.cause = 'rules_changed' then versioned.declared_at end,
                'previous_available_quantity', versioned.previous_available_quantity,
                'previous_observed_at', versioned.previous_observed_at,
                'ordered_since_quantity', case when versioned.is_edited then versioned.ordered_quantity end,
                'returned_since_quantity', case when versioned.is_edited then versioned.returned_quantity end,
                'facts_as_of', versioned.facts_as_of,
                'newest_received_at', versioned.newest_received_at,
                'listing_received_at', versioned.listing_received_at
            )
        ) as evidence,
        coalesce(open_difference.detected_at, now()) as detected_at,
        versioned.observed_at,
        -- How long it took to get here is settled when it is seen first.
        case
            when open_difference.facts_version = versioned.difference_version then open_difference.age_source_seconds
            else versioned.age_source_seconds
        end as age_source_seconds,
        case
            when open_difference.facts_version = versioned.difference_version then open_difference.age_landing_seconds
            else versioned.age_landing_seconds
        end as age_landing_seconds,
        case
            when open_difference.facts_version = versioned.difference_version then open_difference.age_build_seconds
            else extract(epoch from now() - versioned.newest_received_at)::double precision
        end as age_build_seconds,
        case
            when versioned.status in ('proposed', 'held', 'claimed', 'sent', 'applied')
                -- Not now(): a correction may be proposed after this transaction began and before it looked.
                then extract(epoch from clock_timestamp() - versioned.proposed_at)::double precision
        end as age_queue_seconds,
        versioned.newest_received_at,
        versioned.listing_received_at,
        versioned.facts_as_of,
        versioned.correlation_id,
        versioned.difference_version as facts_version,
        {{ build.build_id }}::bigint as build_id
    from versioned
    left join open_difference
        on versioned.sku = open_difference.sku and versioned.channel = open_difference.channel
)

select * from final
