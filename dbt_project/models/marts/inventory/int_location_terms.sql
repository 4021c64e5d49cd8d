{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with rules as (
    select
        sku,
        channel,
        safety_stock_quantity,
        is_active,
        product_system_id
    from {{ ref("int_ats_rules") }}
),

stock as (
    select
        sku,
        location_id,
        on_hand_quantity,
        damaged_quantity,
        quality_control_quantity,
        reserved_quantity,
        source_system_id,
        is_item_active,
        as_of,
        record_id,
        received_at,
        correlation_id
    from {{ ref("int_location_stock") }}
),

channel_locations as not materialized (
    select * from {{ source("governance", "channel_locations") }}
),

locations as not materialized (
    select * from {{ ref("locations") }}
),

-- What is not sold any more is not offered: a product that the ERP has put away, a place that its system has switched
-- off, an item that is inactive where it lies.
withdrawable as (
    select
        rules.sku,
        rules.channel,
        rules.safety_stock_quantity,
        stock.location_id,
        stock.on_hand_quantity,
        stock.damaged_quantity,
        stock.quality_control_quantity,
        stock.reserved_quantity,
        case
            when rules.is_active is false then 'inactive in ' || rules.product_system_id
            when locations.is_active is false then 'place ' || locations.source_status || ' in ' || locations.system_id
            when stock.is_item_active is false then 'inactive in ' || stock.source_system_id
        end as withdrawn_because,
        stock.source_system_id,
        stock.as_of,
        stock.record_id,
        stock.received_at,
        stock.correlation_id
    from rules
    inner join channel_locations on rules.channel = channel_locations.channel
    inner join stock on rules.sku = stock.sku and channel_locations.location_id = stock.location_id
    left join locations on stock.location_id = locations.location_id
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

final as (
    select
        withdrawn.sku,
        withdrawn.channel,
        withdrawn.location_id,
        withdrawn.on_hand_quantity,
        withdrawn.damaged_quantity,
        withdrawn.quality_control_quantity,
        withdrawn.withdrawn_quantity,
        withdrawn.withdrawn_because,
        withdrawn.on_hand_quantity - withdrawn.damaged_quantity - withdrawn.quality_control_quantity
        - withdrawn.withdrawn_quantity as sellable_quantity,
        withdrawn.reserved_quantity,
        withdrawn.safety_stock_quantity,
        greatest(
            withdrawn.on_hand_quantity - withdrawn.damaged_quantity - withdrawn.quality_control_quantity
            - withdrawn.withdrawn_quantity - withdrawn.reserved_quantity - withdrawn.safety_stock_quantity,
            0
        ) as free_quantity,
        -- What is promised here beyond what is here comes out of the other places: somebody will have to send it.
        -- What is withdrawn from sale can still be sent.
        greatest(
            withdrawn.reserved_quantity - greatest(
                withdrawn.on_hand_quantity - withdrawn.damaged_quantity - withdrawn.quality_control_quantity
                - withdrawn.safety_stock_quantity,
                0
            ),
            0
        ) as shortfall_quantity,
        withdrawn.source_system_id,
        withdrawn.as_of,
        withdrawn.record_id,
        withdrawn.received_at,
        withdrawn.correlation_id
    from withdrawn
)

select * from final
