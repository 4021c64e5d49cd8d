with units as not materialized (
    select * from {{ ref("int_order_line_units") }}
    where sku is not null
),

fulfilment_lines as not materialized (
    select * from {{ ref("fulfilment_lines") }}
),

shipped as (
    select
        owner_system_id,
        order_name,
        sku,
        greatest(0, sum(quantity)) as quantity,
        max(fulfilled_at) as fulfilled_at,
        max(received_at) as received_at,
        max(build_id) as build_id
    from fulfilment_lines
    group by owner_system_id, order_name, sku
),

-- What is kept of a line is to leave or has left; the rest of it is cancelled.
kept as (
    select
        units.*,
        units.ordered_quantity - least_kept.quantity as given_up_quantity,
        least_kept.quantity as kept_quantity,
        sum(least_kept.quantity) over lines_before as kept_before,
        sum(units.ordered_quantity - least_kept.quantity) over lines_before as given_up_before,
        sum(least_kept.quantity) over order_product as kept_in_all,
        sum(units.ordered_quantity) over order_product as ordered_in_all,
        row_number() over lines_in_order as line_number
    from units
    cross join
        lateral (
            select
                case
                    when units.is_cancelled then 0
                    else greatest(0, least(units.ordered_quantity, units.committed_quantity))
                end as quantity
        ) as least_kept
    window
        order_product as (partition by units.owner_system_id, units.order_name, units.sku),
        lines_in_order as (
            partition by units.owner_system_id, units.order_name, units.sku
            order by units.source_order_id, units.source_line_id
        ),
        lines_before as (
            partition by units.owner_system_id, units.order_name, units.sku
            order by units.source_order_id, units.source_line_id
            rows between unbounded preceding and 1 preceding
        )
),

-- Locations tell what left by product. It is of the lines that keep units first, in their order, then of what was given
-- up; what is beyond all of them was shipped and never ordered.
spread as (
    select
        kept.*,
        coalesce(shipped.quantity, 0) as shipped_in_all,
        greatest(
            0, least(kept.kept_quantity, coalesce(shipped.quantity, 0) - coalesce(kept.kept_before, 0))
        ) as shipped_of_kept,
        greatest(
            0,
            least(
                kept.given_up_quantity,
                coalesce(shipped.quantity, 0) - kept.kept_in_all - coalesce(kept.given_up_before, 0)
            )
        ) as shipped_of_given_up,
        shipped.fulfilled_at,
        greatest(kept.received_at, shipped.received_at) as newest_received_at,
        greatest(kept.build_id, shipped.build_id) as newest_build_id
    from kept
    left join shipped
        on
            kept.owner_system_id = shipped.owner_system_id
            and kept.order_name = shipped.order_name
            and kept.sku = shipped.sku
),

final as (
    select
        order_line_id,
        order_id,
        owner_system_id,
        order_name,
        source_line_id,
        sku,
        ordered_quantity,
        shipped_of_kept + shipped_of_given_up as shipped_quantity,
        given_up_quantity - shipped_of_given_up as cancelled_quantity,
        kept_quantity - shipped_of_kept as open_quantity,
        case when line_number = 1 then greatest(0, shipped_in_all - ordered_in_all) else 0 end as excess_quantity,
        ordered_at,
        fulfilled_at,
        newest_received_at as received_at,
        newest_build_id as build_id
    from spread
)

select * from final
