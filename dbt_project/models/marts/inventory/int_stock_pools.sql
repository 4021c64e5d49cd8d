{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with rules as not materialized (
    select * from {{ ref("int_ats_rules") }}
),

pooled as not materialized (
    select * from {{ ref("int_pooled_stock") }}
),

unassigned as not materialized (
    select * from {{ ref("int_unassigned_reservations") }}
),

unknown_positions as not materialized (
    select * from {{ ref("int_unknown_positions") }}
),

final as (
    select
        rules.sku,
        rules.channel,
        rules.shows,
        rules.category,
        rules.safety_stock_quantity,
        rules.safety_stock_rule_id,
        rules.buffer_quantity,
        rules.buffer_rule_id,
        rules.share,
        rules.share_rule_id,
        rules.cap_quantity,
        rules.cap_rule_id,
        coalesce(pooled.on_hand_quantity, 0) as on_hand_quantity,
        coalesce(pooled.damaged_quantity, 0) as damaged_quantity,
        coalesce(pooled.quality_control_quantity, 0) as quality_control_quantity,
        coalesce(pooled.withdrawn_quantity, 0) as withdrawn_quantity,
        coalesce(pooled.sellable_quantity, 0) as sellable_quantity,
        unknown_positions.unknown_because,
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
        end as correlation_id
    from rules
    left join pooled on rules.sku = pooled.sku and rules.channel = pooled.channel
    left join unassigned on rules.sku = unassigned.sku and rules.channel = unassigned.channel
    left join unknown_positions on rules.sku = unknown_positions.sku and rules.channel = unknown_positions.channel
)

select * from final
