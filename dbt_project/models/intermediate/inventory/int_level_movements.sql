{{ config(materialized="view") }}

with levels as not materialized (
    select
        sku,
        system_id,
        source_stock_item_id,
        source_location_id,
        clock_uncertainty_seconds,
        occurred_at,
        confirmed_at
    from {{ ref("int_reported_levels") }}
),

movements as not materialized (
    select * from {{ ref("int_movements") }}
),

later as (
    select
        levels.sku,
        levels.system_id,
        levels.source_stock_item_id,
        levels.source_location_id,
        levels.confirmed_at,
        levels.clock_uncertainty_seconds,
        movements.source_key,
        movements.is_current,
        movements.moved_at,
        movements.begins_at,
        movements.ends_at,
        movements.sequence,
        movements.delta_quantity,
        movements.counted_quantity,
        movements.record_id,
        movements.received_at,
        movements.correlation_id
    from levels
    inner join movements
        on
            levels.system_id = movements.system_id
            and levels.source_stock_item_id = movements.source_item_id
            and levels.source_location_id = movements.source_location_id
            and levels.occurred_at < movements.settled_at
),

-- A count is absolute: the newest one after the level takes the level's place.
counted as (
    select
        later.*,
        later.counted_quantity is not null and later.is_current and later.moved_at > later.confirmed_at as is_base
    from later
),

based as (
    select
        counted.*,
        first_value(case when counted.is_base then counted.counted_quantity end) over newest_count as base_quantity,
        first_value(case when counted.is_base then counted.moved_at end) over newest_count as base_moved_at,
        first_value(case when counted.is_base then counted.sequence end) over newest_count as base_sequence,
        first_value(case when counted.is_base then counted.source_key end) over newest_count as base_source_key
    from counted
    window newest_count as (
        partition by
            counted.sku,
            counted.system_id,
            counted.source_stock_item_id,
            counted.source_location_id
        order by counted.is_base desc, counted.moved_at desc, counted.sequence desc, counted.source_key desc
    )
),

-- What the base says of a movement: whether it may be from before the movement, and which versions it may hold. A level
-- may have been taken so much later than it says as its system's clock is uncertain; a count was taken when it says.
final as (
    select
        sku,
        system_id,
        source_stock_item_id,
        source_location_id,
        source_key,
        is_current,
        delta_quantity,
        base_quantity,
        base_moved_at,
        base_source_key,
        record_id,
        received_at,
        correlation_id,
        case
            when base_source_key is null then moved_at > confirmed_at
            else (moved_at, sequence, source_key) > (base_moved_at, base_sequence, base_source_key)
        end as may_precede,
        case
            when base_source_key is null
                then
                    begins_at <= confirmed_at + make_interval(secs => clock_uncertainty_seconds)
                    and (ends_at is null or ends_at > confirmed_at)
            else
                (moved_at, sequence, source_key) <= (base_moved_at, base_sequence, base_source_key)
                and begins_at <= base_moved_at
                and (ends_at is null or ends_at > base_moved_at)
        end as may_be_held
    from based
)

select * from final
