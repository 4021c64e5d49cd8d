with units as not materialized (
    select * from {{ ref("int_order_line_units") }}
),

amounts as not materialized (
    select * from {{ ref("int_order_amounts") }}
    where is_current and not is_deleted and line_id is not null and amount is not null
),

-- A tip and a gift card are lines of the record and no goods: they are adjustments of the order. Grouped by the order's
-- name too, so that who asks for one order does not add up all.
priced as (
    select
        units.order_name,
        amounts.system_id,
        amounts.order_id,
        amounts.line_id,
        min(amounts.currency) as currency,
        sum(amounts.quantity) filter (where amounts.kind = 'goods') as current_quantity,
        max(amounts.unit_price_amount) as unit_price_amount,
        coalesce(sum(amounts.amount) filter (where amounts.kind = 'goods'), 0) as gross_amount,
        coalesce(-sum(amounts.amount) filter (where amounts.kind = 'discount'), 0) as discount_amount,
        coalesce(sum(amounts.amount) filter (where amounts.kind = 'tax'), 0) as tax_amount
    from units
    inner join amounts
        on
            units.owner_system_id = amounts.system_id
            and units.source_order_id = amounts.order_id
            and units.source_line_id = amounts.line_id
    group by units.order_name, amounts.system_id, amounts.order_id, amounts.line_id
),

final as (
    select
        units.order_line_id,
        units.order_id,
        units.owner_system_id,
        units.order_name,
        units.source_order_id,
        units.source_line_id,
        units.sku,
        units.source_item_id,
        units.source_sku,
        units.classification,
        units.is_unresolved,
        units.ordered_quantity,
        units.committed_quantity,
        units.is_cancelled,
        priced.current_quantity,
        priced.currency,
        priced.unit_price_amount,
        priced.gross_amount,
        priced.discount_amount,
        priced.gross_amount - priced.discount_amount as net_amount,
        priced.tax_amount,
        units.ordered_at,
        units.occurred_at,
        units.received_at,
        units.record_id,
        units.correlation_id,
        units.build_id
    from units
    left join priced
        on
            units.order_name = priced.order_name
            and units.owner_system_id = priced.system_id
            and units.source_order_id = priced.order_id
            and units.source_line_id = priced.line_id
)

select * from final
