{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with served as not materialized (
    select * from {{ ref("int_location_terms") }}
),

final as (
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
)

select * from final
