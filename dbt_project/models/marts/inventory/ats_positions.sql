{{ config(
    materialized="incremental",
    unique_key=["sku", "channel"],
    indexes=[
        {"columns": ["sku", "channel"], "unique": true},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "position", "key": "row.sku"},
        "touches": {"difference": "row.sku"},
        "reached": [
            {"because": "A channel that shows gross stock is written its own allocations on top",
             "from": "stock_item", "to": "position", "through": "sku_aliases",
             "at": ["row.system_id", "row.source_stock_item_id"], "key": "row.sku", "beside": "governance.channels",
             "on": "row.system_id = beside.system_id and beside.shows = 'on_hand'"},
            {"because": "A place was switched off, or on again",
             "from": "location", "to": "place", "through": "locations",
             "at": ["row.system_id", "row.source_location_id"], "key": "row.location_id"},
            {"from": "place", "to": "position", "through": "stock_levels", "at": "row.location_id", "key": "row.sku"},
            {"from": "place", "to": "position", "through": "reservations", "at": "row.location_id",
             "where": "row.status = 'open'", "key": "row.sku"},
        ],
    },
) }}

-- Read by its views, and where it is looked up what a change reaches.
-- depends_on: {{ ref("sku_aliases") }} {{ ref("locations") }} {{ ref("stock_levels") }} {{ ref("reservations") }}
{%- set build = build_state() %}

with pools as (
    select
        sku,
        channel,
        category,
        safety_stock_quantity,
        safety_stock_rule_id,
        buffer_quantity,
        buffer_rule_id,
        share,
        share_rule_id,
        cap_quantity,
        cap_rule_id,
        on_hand_quantity,
        damaged_quantity,
        quality_control_quantity,
        withdrawn_quantity,
        sellable_quantity,
        unknown_because,
        reserved_quantity,
        free_quantity,
        shortfall_quantity,
        unassigned_reserved_quantity,
        pool_quantity,
        location_terms,
        facts_as_of,
        newest_received_at,
        correlation_id
    from {{ part_of(ref("int_stock_pools"), "position", "sku") }} as pools
),

gross_channels as materialized (
    select channel from {{ source("governance", "channels") }}
    where shows = 'on_hand'
),

-- Fenced by being materialized: without a channel that shows gross stock no listing is read at all.
gross_listings as (
    select
        found.sku,
        found.channel,
        found.allocated_quantity
    from gross_channels
    cross join lateral (
        with of_channel as materialized (
            select
                listings.sku,
                listings.channel,
                listings.allocated_quantity
            from {{ ref("channel_listings") }} as listings
            where
                gross_channels.channel = listings.channel
                and {{ "listings.sku in (" ~ touched("position", build.since) ~ ")" if is_part() else "true" }}
        )

        select * from of_channel
    ) as found
),

clamped as (
    select
        pools.*,
        floor(coalesce(gross_listings.allocated_quantity, 0))::bigint as channel_allocated_quantity,
        -- The only rounding there is: a channel promises whole units. Where there is no cap, its null bounds nothing.
        case
            when pools.unknown_because is null
                then least(
                    greatest(floor((pools.pool_quantity - pools.buffer_quantity) * pools.share), 0),
                    pools.cap_quantity
                )
        end::bigint as ats_quantity
    from pools
    left join gross_listings on pools.sku = gross_listings.sku and pools.channel = gross_listings.channel
),

-- What this table holds so far.
decided as (
    {{ held_so_far({
        "sku": "text", "channel": "text", "free_quantity": "numeric", "shortfall_quantity": "numeric",
        "unassigned_reserved_quantity": "numeric", "buffer_quantity": "integer", "share": "numeric",
        "cap_quantity": "integer", "target_quantity": "bigint", "facts_version": "text",
    }) }}
),

final as (
    select
        clamped.sku,
        clamped.channel,
        clamped.category,
        clamped.on_hand_quantity,
        clamped.damaged_quantity,
        clamped.quality_control_quantity,
        clamped.withdrawn_quantity,
        clamped.sellable_quantity,
        clamped.reserved_quantity,
        clamped.safety_stock_quantity,
        clamped.free_quantity,
        clamped.shortfall_quantity,
        clamped.unassigned_reserved_quantity,
        clamped.pool_quantity,
        clamped.buffer_quantity,
        clamped.share::numeric(6, 4) as share,
        clamped.cap_quantity,
        clamped.ats_quantity,
        clamped.channel_allocated_quantity,
        clamped.ats_quantity + clamped.channel_allocated_quantity as target_quantity,
        clamped.unknown_because,
        clamped.location_terms,
        jsonb_build_object(
            'safety_stock', clamped.safety_stock_rule_id,
            'buffer', clamped.buffer_rule_id,
            'share', clamped.share_rule_id,
            'cap', clamped.cap_rule_id
        ) as rule_ids,
        clamped.facts_as_of,
        clamped.newest_received_at,
        -- The version names the build that last changed a quantity: the same numbers are the same decision.
        case
            when
                decided.free_quantity = clamped.free_quantity
                and decided.shortfall_quantity = clamped.shortfall_quantity
                and decided.unassigned_reserved_quantity = clamped.unassigned_reserved_quantity
                and decided.buffer_quantity = clamped.buffer_quantity
                and decided.share = clamped.share
                and coalesce(decided.cap_quantity, -1) = coalesce(clamped.cap_quantity, -1)
                and coalesce(decided.target_quantity, -1)
                = coalesce(clamped.ats_quantity + clamped.channel_allocated_quantity, -1)
                then decided.facts_version
            else '{{ build.build_id }}'
        end as facts_version,
        clamped.correlation_id,
        {{ build.build_id }}::bigint as build_id
    from clamped
    left join decided on clamped.sku = decided.sku and clamped.channel = decided.channel
)

select * from final
