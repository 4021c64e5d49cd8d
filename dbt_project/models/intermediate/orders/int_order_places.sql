{{ config(materialized="view") }}

with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
    where sku is not null
),

fulfilment_lines as not materialized (
    select * from {{ ref("fulfilment_lines") }}
),

stock_levels as not materialized (
    select * from {{ ref("stock_levels") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- Of levels of which a newer version was set aside, no sweep has confirmed what is known.
sweeps as not materialized (
    select * from {{ source("staging", "build_scope") }}
    where stream = 'stock_levels'
),

-- What a copy of the order says was shipped is out of the stock level once that is at least as new.
reported as (
    select
        order_lines.owner_system_id,
        order_lines.order_name,
        order_lines.sku,
        locations.location_id,
        order_lines.shipped_quantity,
        case when order_lines.is_cancelled then order_lines.shipped_quantity else order_lines.committed_quantity end
            as assigned_quantity,
        order_lines.occurred_at + make_interval(secs => systems.clock_uncertainty_seconds) as shipped_by,
        coalesce(
            order_lines.occurred_at + make_interval(secs => systems.clock_uncertainty_seconds) <= greatest(
                stock_levels.as_of,
                case
                    when
                        stock_levels.received_at <= sweeps.swept_at
                        and not {{ has_unread_version("order_lines", "locations") }}
                        then sweeps.swept_as_of
                end
            ),
            false
        ) as is_in_level
    from order_lines
    inner join systems on order_lines.system_id = systems.system_id
    inner join locations
        on
            order_lines.system_id = locations.system_id
            and order_lines.source_location_id = locations.source_location_id
    left join stock_levels on order_lines.sku = stock_levels.sku and locations.location_id = stock_levels.location_id
    left join sweeps on order_lines.system_id = sweeps.system_id
),

-- Whatever left by a landed movement is out of the stock level: in its base, or in what is laid over it.
counted as (
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        assigned_quantity,
        case when is_in_level then shipped_quantity else 0 end as confirmed_quantity,
        case when is_in_level then 0 else shipped_quantity end as unconfirmed_quantity,
        case when is_in_level and shipped_quantity > 0 then shipped_by end as confirmed_by,
        0 as moved_quantity,
        null::timestamptz as received_at
    from reported
    union all
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        0 as assigned_quantity,
        0 as confirmed_quantity,
        0 as unconfirmed_quantity,
        null as confirmed_by,
        quantity as moved_quantity,
        received_at
    from fulfilment_lines
),

final as (
    select
        owner_system_id,
        order_name,
        sku,
        location_id,
        sum(assigned_quantity) as assigned_quantity,
        greatest(sum(confirmed_quantity), sum(moved_quantity)) as shipped_quantity,
        sum(unconfirmed_quantity) as unconfirmed_quantity,
        max(confirmed_by) as confirmed_by,
        max(received_at) as received_at
    from counted
    group by owner_system_id, order_name, sku, location_id
)

select * from final
