-- Longer than 200 lines: every term of the number is a column here, and so are the rule and the place it comes from.
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

{%- set terms = {
    "safety_stock": "safety_stock_quantity", "buffer": "buffer_quantity", "share": "share", "cap": "cap_quantity",
} %}
{%- set build = build_state() %}

with products as (
    select
        sku,
        category,
        is_active,
        source_system_id
    from {{ ref("products") }}
    {%- if is_part() %}
    where sku in ({{ touched("position", build.since) }})
    {%- endif %}
),

stock_levels as not materialized (
    select * from {{ ref("stock_levels") }}
    {%- if is_part() %}
    where sku in ({{ touched("position", build.since) }})
    {%- endif %}
),

reservations as not materialized (
    select * from {{ ref("reservations") }}
    where status = 'open' {{ "and sku in (" ~ touched("position", build.since) ~ ")" if is_part() }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

gross_channels as materialized (
    select channel from channels
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

locations as materialized (
    select * from {{ ref("locations") }}
),

contested_items as not materialized (
    select * from {{ ref("sku_aliases") }}
    where
        contested_sku is not null
        and classification is null
        and {{ "contested_sku in (" ~ touched("position", build.since) ~ ")" if is_part() else "true" }}
),

channel_locations as not materialized (
    select * from {{ source("governance", "channel_locations") }}
),

channel_rules as not materialized (
    select * from {{ source("governance", "channel_rules") }}
),

---------------------------------------------------------------- rules: the most specific one that says a term gives it
-- Within one channel the rule declared first wins among equals.
ordered_rules as (
    select
        channel_rules.rule_id,
        channel_rules.channel,
        channel_rules.category,
        -- As the product spells it.
        (
            select min(ruled_products.sku)
            from {{ ref("products") }} as ruled_products
            where governance.code_key(ruled_products.sku) = governance.code_key(channel_rules.sku)
        ) as sku,
        channel_rules.sku is not null as is_of_sku,
        channel_rules.safety_stock_quantity,
        channel_rules.buffer_quantity,
        channel_rules.share,
        channel_rules.cap_quantity,
        case
            when channel_rules.rule_id ~ '\.[0-9]+$' then substring(channel_rules.rule_id from '[0-9]+$')::integer
            else 0
        end as position
    from channel_rules
),

scoped_rules as (
    select
        {%- for term, column in terms.items() %}
        (array_agg({{ column }} order by position asc) filter (where {{ column }} is not null))[1] as {{ column }},
        (array_agg(rule_id order by position asc) filter (where {{ column }} is not null))[1] as {{ term }}_rule_id,
        {%- endfor %}
        channel,
        category,
        sku
    from ordered_rules
    where sku is not null or not is_of_sku
    group by channel, category, sku
),

channel_terms as (
    select
        {%- for term, column in terms.items() %}
        coalesce(of_channel.{{ column }}, of_all.{{ column }}) as {{ column }},
        coalesce(of_channel.{{ term }}_rule_id, of_all.{{ term }}_rule_id) as {{ term }}_rule_id,
        {%- endfor %}
        channels.channel,
        channels.shows
    from channels
    left join scoped_rules as of_channel
        on channels.channel = of_channel.channel and of_channel.category is null and of_channel.sku is null
    left join scoped_rules as of_all
        on of_all.channel is null and of_all.category is null and of_all.sku is null
),

ruled as (
    select
        {%- for term, column in terms.items() %}
        coalesce(of_sku.{{ column }}, of_category.{{ column }}, channel_terms.{{ column }}) as {{ column }},
        coalesce(of_sku.{{ term }}_rule_id, of_category.{{ term }}_rule_id, channel_terms.{{ term }}_rule_id)
            as {{ term }}_rule_id,
        {%- endfor %}
        products.sku,
        products.category,
        products.is_active,
        products.source_system_id as product_system_id,
        channel_terms.channel,
        channel_terms.shows
    from products
    cross join channel_terms
    left join scoped_rules as of_sku on channel_terms.channel = of_sku.channel and products.sku = of_sku.sku
    left join scoped_rules as of_category
        on channel_terms.channel = of_category.channel and products.category = of_category.category
),

---------------------------------------------------------------- stock and what holds it
assigned as (
    select
        sku,
        location_id,
        sum(quantity) as reserved_quantity,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, reservation_id desc))[1] as correlation_id
    from reservations
    where location_id is not null
    group by sku, location_id
),

-- An order that nobody routed yet may take from any place that serves its channel, the ERP's own from any at all.
unassigned as (
    select
        reservations.sku,
        channels.channel,
        sum(reservations.quantity) as quantity,
        max(reservations.received_at) as received_at,
        (
            array_agg(
                reservations.correlation_id order by reservations.received_at desc, reservations.reservation_id desc
            )
        )[1] as correlation_id
    from reservations
    cross join channels
    where
        reservations.location_id is null
        and (
            reservations.channel is null
            or reservations.channel = channels.channel
            or exists (
                select 1
                from channel_locations as theirs
                inner join channel_locations as ours on theirs.location_id = ours.location_id
                where theirs.channel = reservations.channel and ours.channel = channels.channel
            )
        )
    group by reservations.sku, channels.channel
),

-- A reservation at a place holds something even where no level is known.
placed as (
    select
        coalesce(stock_levels.sku, assigned.sku) as sku,
        coalesce(stock_levels.location_id, assigned.location_id) as location_id,
        coalesce(stock_levels.on_hand_quantity, 0) as on_hand_quantity,
        coalesce(stock_levels.damaged_quantity, 0) as damaged_quantity,
        coalesce(stock_levels.quality_control_quantity, 0) as quality_control_quantity,
        coalesce(assigned.reserved_quantity, 0) as reserved_quantity,
        stock_levels.source_system_id,
        stock_levels.is_item_active,
        stock_levels.as_of,
        stock_levels.record_id,
        greatest(stock_levels.received_at, assigned.received_at) as received_at,
        case
            when stock_levels.received_at is null or assigned.received_at > stock_levels.received_at
                then assigned.correlation_id
            else stock_levels.correlation_id
        end as correlation_id
    from stock_levels
    full outer join assigned
        on stock_levels.sku = assigned.sku and stock_levels.location_id = assigned.location_id
),

-- What is not sold any more is not offered: a product that the ERP has put away, a place that its system has switched
-- off, an item that is inactive where it lies.
withdrawable as (
    select
        ruled.sku,
        ruled.channel,
        ruled.safety_stock_quantity,
        placed.location_id,
        placed.on_hand_quantity,
        placed.damaged_quantity,
        placed.quality_control_quantity,
        placed.reserved_quantity,
        case
            when ruled.is_active is false then 'inactive in ' || ruled.product_system_id
            when locations.is_active is false then 'place ' || locations.source_status || ' in ' || locations.system_id
            when placed.is_item_active is false then 'inactive in ' || placed.source_system_id
        end as withdrawn_because,
        placed.source_system_id,
        placed.as_of,
        placed.record_id,
        placed.received_at,
        placed.correlation_id
    from ruled
    inner join channel_locations on ruled.channel = channel_locations.channel
    inner join placed on ruled.sku = placed.sku and channel_locations.location_id = placed.location_id
    left join locations on placed.location_id = locations.location_id
),

withdrawn as (
    select
        withdrawable.*,
        case
            when withdrawable.withdrawn_because is null then 0
            else
                greatest(
                    withdrawable.on_hand_quantity - withdrawable.damaged_quantity
                    - withdrawable.quality_control_quantity,
                    0
                )
        end as withdrawn_quantity
    from withdrawable
),

served as (
    select
        placed.sku,
        placed.channel,
        placed.location_id,
        placed.on_hand_quantity,
        placed.damaged_quantity,
        placed.quality_control_quantity,
        placed.withdrawn_quantity,
        placed.withdrawn_because,
        placed.on_hand_quantity - placed.damaged_quantity - placed.quality_control_quantity
        - placed.withdrawn_quantity as sellable_quantity,
        placed.reserved_quantity,
        placed.safety_stock_quantity,
        greatest(
            placed.on_hand_quantity - placed.damaged_quantity - placed.quality_control_quantity
            - placed.withdrawn_quantity - placed.reserved_quantity - placed.safety_stock_quantity,
            0
        ) as free_quantity,
        -- What is promised here beyond what is here comes out of the other places: somebody will have to send it.
        -- What is withdrawn from sale can still be sent.
        greatest(
            placed.reserved_quantity - greatest(
                placed.on_hand_quantity - placed.damaged_quantity - placed.quality_control_quantity
                - placed.safety_stock_quantity,
                0
            ),
            0
        ) as shortfall_quantity,
        placed.source_system_id,
        placed.as_of,
        placed.record_id,
        placed.received_at,
        placed.correlation_id
    from withdrawn as placed
),

-- Of a product that several items of a system claim, nobody knows how many lie at that system's places: that is not 0,
-- and no number is made of it.
unknown as (
    select
        contested_items.contested_sku as sku,
        channel_locations.channel,
        'several items of ' || string_agg(distinct contested_items.system_id, ' and ')
        || ' claim it: unknown what lies at ' || string_agg(distinct locations.location_id, ', ') as unknown_because
    from contested_items
    inner join locations on contested_items.system_id = locations.system_id
    inner join channel_locations on locations.location_id = channel_locations.location_id
    group by contested_items.contested_sku, channel_locations.channel
),

pooled as (
    select
        sku,
        channel,
        sum(on_hand_quantity) as on_hand_quantity,
        sum(damaged_quantity) as damaged_quantity,
        sum(quality_control_quantity) as quality_control_quantity,
        sum(withdrawn_quantity) as withdrawn_quantity,
        sum(sellable_quantity) as sellable_quantity,
        sum(reserved_quantity) as reserved_quantity,
        sum(free_quantity) as free_quantity,
        sum(shortfall_quantity) as shortfall_quantity,
        max(as_of) filter (where isfinite(as_of)) as facts_as_of,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, location_id asc))[1] as correlation_id,
        jsonb_agg(
            jsonb_build_object(
                'location_id', location_id,
                'source_system_id', source_system_id,
                'on_hand_quantity', trim_scale(on_hand_quantity),
                'damaged_quantity', trim_scale(damaged_quantity),
                'quality_control_quantity', trim_scale(quality_control_quantity),
                'withdrawn_quantity', trim_scale(withdrawn_quantity),
                'withdrawn_because', withdrawn_because,
                'sellable_quantity', trim_scale(sellable_quantity),
                'reserved_quantity', trim_scale(reserved_quantity),
                'safety_stock_quantity', safety_stock_quantity,
                'free_quantity', trim_scale(free_quantity),
                'shortfall_quantity', trim_scale(shortfall_quantity),
                'as_of', as_of,
                'record_id', record_id
            )
            order by location_id asc
        ) as location_terms
    from served
    group by sku, channel
),

computed as (
    select
        ruled.*,
        coalesce(pooled.on_hand_quantity, 0) as on_hand_quantity,
        coalesce(pooled.damaged_quantity, 0) as damaged_quantity,
        coalesce(pooled.quality_control_quantity, 0) as quality_control_quantity,
        coalesce(pooled.withdrawn_quantity, 0) as withdrawn_quantity,
        coalesce(pooled.sellable_quantity, 0) as sellable_quantity,
        unknown.unknown_because,
        coalesce(pooled.reserved_quantity, 0) as reserved_quantity,
        coalesce(pooled.free_quantity, 0) as free_quantity,
        coalesce(pooled.shortfall_quantity, 0) as shortfall_quantity,
        coalesce(unassigned.quantity, 0) as unassigned_reserved_quantity,
        coalesce(pooled.free_quantity, 0) - coalesce(pooled.shortfall_quantity, 0) - coalesce(unassigned.quantity, 0)
            as pool_quantity,
        coalesce(pooled.location_terms, '[]'::jsonb) as location_terms,
        pooled.facts_as_of,
        greatest(pooled.received_at, unassigned.received_at) as newest_received_at,
        case
            when pooled.received_at is null or unassigned.received_at > pooled.received_at
                then unassigned.correlation_id
            else pooled.correlation_id
        end as correlation_id,
        floor(coalesce(gross_listings.allocated_quantity, 0))::bigint as channel_allocated_quantity
    from ruled
    left join pooled on ruled.sku = pooled.sku and ruled.channel = pooled.channel
    left join unassigned on ruled.sku = unassigned.sku and ruled.channel = unassigned.channel
    left join unknown on ruled.sku = unknown.sku and ruled.channel = unknown.channel
    left join gross_listings on ruled.sku = gross_listings.sku and ruled.channel = gross_listings.channel
),

clamped as (
    select
        computed.*,
        -- The only rounding there is: a channel promises whole units. Where there is no cap, its null bounds nothing.
        case
            when computed.unknown_because is null
                then least(
                    greatest(floor((computed.pool_quantity - computed.buffer_quantity) * computed.share), 0),
                    computed.cap_quantity
                )
        end::bigint as ats_quantity
    from computed
),

explained as (
    select
        clamped.*,
        clamped.ats_quantity + clamped.channel_allocated_quantity as target_quantity,
        jsonb_build_object(
            'safety_stock', clamped.safety_stock_rule_id,
            'buffer', clamped.buffer_rule_id,
            'share', clamped.share_rule_id,
            'cap', clamped.cap_rule_id
        ) as rule_ids
    from clamped
),

-- What this table holds so far.
decided as (
    {%- if remembers([
        "free_quantity", "unassigned_reserved_quantity", "buffer_quantity", "share", "cap_quantity", "target_quantity",
        "facts_version",
    ]) %}
    select
        sku,
        channel,
        free_quantity,
        shortfall_quantity,
        unassigned_reserved_quantity,
        buffer_quantity,
        share,
        cap_quantity,
        target_quantity,
        facts_version
    from {{ this }}
    {%- else %}
    select
        null::text as sku,
        null::text as channel,
        null::numeric as free_quantity,
        null::numeric as shortfall_quantity,
        null::numeric as unassigned_reserved_quantity,
        null::integer as buffer_quantity,
        null::numeric as share,
        null::integer as cap_quantity,
        null::bigint as target_quantity,
        null::text as facts_version
    where false
    {%- endif %}
),

final as (
    select
        explained.sku,
        explained.channel,
        explained.category,
        explained.on_hand_quantity,
        explained.damaged_quantity,
        explained.quality_control_quantity,
        explained.withdrawn_quantity,
        explained.sellable_quantity,
        explained.reserved_quantity,
        explained.safety_stock_quantity,
        explained.free_quantity,
        explained.shortfall_quantity,
        explained.unassigned_reserved_quantity,
        explained.pool_quantity,
        explained.buffer_quantity,
        explained.share::numeric(6, 4) as share,
        explained.cap_quantity,
        explained.ats_quantity,
        explained.channel_allocated_quantity,
        explained.target_quantity,
        explained.unknown_because,
        explained.location_terms,
        explained.rule_ids,
        explained.facts_as_of,
        explained.newest_received_at,
        -- The version names the build that last changed a quantity: the same numbers are the same decision.
        case
            when
                decided.free_quantity = explained.free_quantity
                and decided.shortfall_quantity = explained.shortfall_quantity
                and decided.unassigned_reserved_quantity = explained.unassigned_reserved_quantity
                and decided.buffer_quantity = explained.buffer_quantity
                and decided.share = explained.share
                and coalesce(decided.cap_quantity, -1) = coalesce(explained.cap_quantity, -1)
                and coalesce(decided.target_quantity, -1) = coalesce(explained.target_quantity, -1)
                then decided.facts_version
            else '{{ build.build_id }}'
        end as facts_version,
        explained.correlation_id,
        {{ build.build_id }}::bigint as build_id
    from explained
    left join decided on explained.sku = decided.sku and explained.channel = decided.channel
)

select * from final
