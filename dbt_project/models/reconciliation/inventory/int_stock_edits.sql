{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with mismatches as not materialized (
    select * from {{ ref("int_stock_ages") }}
),

order_lines as not materialized (
    select * from {{ ref("int_order_line_units") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
    where entity = 'stock'
),

final as (
    select
        mismatches.sku,
        mismatches.channel,
        mismatches.system_id,
        mismatches.clock_uncertainty_seconds,
        mismatches.shows,
        mismatches.channel_record_id,
        mismatches.source_item_id,
        mismatches.shown_quantity,
        mismatches.available_quantity,
        mismatches.previous_available_quantity,
        mismatches.previous_observed_at,
        mismatches.previous_received_at,
        mismatches.observed_at,
        mismatches.listing_received_at,
        mismatches.listing_record_id,
        mismatches.ats_quantity,
        mismatches.target_quantity,
        mismatches.facts_as_of,
        mismatches.newest_received_at,
        mismatches.facts_version,
        mismatches.correlation_id,
        mismatches.age_source_seconds,
        mismatches.age_landing_seconds,
        mismatches.age_build_seconds,
        coalesce(sales.ordered_quantity, 0) as ordered_quantity,
        coalesce(sales.returned_quantity, 0) as returned_quantity,
        -- Neither the channel's own customers nor a correction of ours explain what it shows since the listing before.
        mismatches.previous_observed_at is not null
        and mismatches.available_quantity is not null
        and not coalesce(
            mismatches.available_quantity between
            mismatches.previous_available_quantity - coalesce(sales.ordered_quantity, 0)
            and mismatches.previous_available_quantity + coalesce(sales.returned_quantity, 0),
            false
        )
        and not exists (
            select 1
            from changes
            where
                changes.target_system = mismatches.channel
                and changes.record_ref = mismatches.channel_record_id
                and changes.attempts > 0
                and coalesce(changes.resolved_at, changes.applied_at, 'infinity') >= mismatches.previous_received_at
                and mismatches.shown_quantity between
                changes.desired::bigint - coalesce(sales.ordered_quantity, 0)
                and changes.desired::bigint + coalesce(sales.returned_quantity, 0)
        ) as is_edited
    from mismatches
    left join lateral (
        select
            sum(order_lines.ordered_quantity) filter (
                where
                order_lines.ordered_at > mismatches.previous_observed_at
                and order_lines.ordered_at
                <= mismatches.observed_at + make_interval(secs => mismatches.clock_uncertainty_seconds)
            ) as ordered_quantity,
            sum(
                order_lines.ordered_quantity
                - case when order_lines.is_cancelled then 0 else order_lines.committed_quantity end
            ) filter (where order_lines.occurred_at > mismatches.previous_observed_at) as returned_quantity
        from order_lines
        where
            order_lines.owner_system_id = mismatches.system_id
            and order_lines.source_item_id = mismatches.source_item_id
            and mismatches.previous_observed_at is not null
    ) as sales on true
)

select * from final
