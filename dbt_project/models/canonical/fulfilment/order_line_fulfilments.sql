{{ config(
    materialized="incremental",
    unique_key=["order_line_id"],
    indexes=[
        {"columns": ["order_line_id"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "touches": {"order_name": "row.order_name"},
        "hash_joins": "lines",
        "reached": [
            {"because": "a shipment names the order that it was made from",
             "from": "order_id", "to": "order_name", "through": "int_owned_order_lines",
             "at": ["row.system_id", "row.order_id"], "key": "row.order_name"},
            {"because": "a shipment of an item that is another product now",
             "from": "shipped_item", "to": "order_name", "through": "int_movements",
             "at": ["row.system_id", "row.source_item_id"],
             "where": "row.is_current and row.kind in ('ship', 'sale', 'pick')", "key": "row.source_reference"},
            {"from": "shipped_item", "to": "shipped_order", "through": "int_movements",
             "at": ["row.system_id", "row.source_item_id"],
             "where": "row.is_current and row.kind in ('ship', 'sale', 'pick')",
             "key": ["row.system_id", "row.source_order_id"]},
            {"from": "shipped_order", "to": "order_name", "through": "int_owned_order_lines",
             "at": ["row.system_id", "row.order_id"], "key": "row.order_name"},
        ],
    },
) }}

-- Read by its views, and where it is looked up what a change reaches.
-- depends_on: {{ ref("int_order_lines") }} {{ ref("int_owned_order_lines") }} {{ ref("int_movements") }}
with units as (
    select
        units.order_line_id,
        units.order_id,
        units.owner_system_id,
        units.order_name,
        units.source_order_id,
        units.source_line_id,
        units.sku,
        units.ordered_quantity,
        units.committed_quantity,
        units.is_cancelled,
        units.ordered_at,
        units.received_at
    from {{ part_of(ref("int_order_line_units"), "order_name", "order_name") }} as units
    where units.sku is not null
),

fulfilment_lines as (
    select * from {{ part_of(ref("fulfilment_lines"), "order_name", "order_name") }} as fulfilment_lines
),

shipped as (
    select
        owner_system_id,
        order_name,
        sku,
        greatest(0, sum(quantity)) as quantity,
        max(fulfilled_at) as fulfilled_at,
        max(received_at) as received_at
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
        greatest(kept.received_at, shipped.received_at) as newest_received_at
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
        {{ build_state().build_id }}::bigint as build_id
    from spread
)

select * from final
